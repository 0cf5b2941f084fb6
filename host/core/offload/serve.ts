// The model thread: it has the model, and answers what RemoteModel asks.

import type { AdapterFiles } from "../adapters/read.js";
import type { AdapterFacts } from "../adapters/slots.js";
import type {
  Build,
  ChatFinishReason,
  ChatPiece,
  Completion,
  LoadedAdapter,
  LoadOptions,
  Piece,
  PrefillProgress,
  Prompt,
  RefusedTool,
  SessionOptions,
} from "../api/api.js";
import { closed } from "../api/errors.js";
import type { Generation } from "../api/options.js";
import type { ChatRequest } from "../chat/types.js";
import { GenerationRecord } from "../engine/completion.js";
import type { ByteSource } from "../load/source.js";
import { type LoadedModel, loadModel, type Platform } from "../model/model.js";
import type { ModelSession } from "../model/session.js";
import { type Channel, type Handler, Link } from "./link.js";
import { type PackedError, packError } from "./packed_error.js";

/** What is new of a completion: a piece, or without one its end. */
export interface CompletionStep<P extends Piece = ChatPiece, End extends ChatFinishReason = ChatFinishReason> {
  piece?: P;
  newTokens: number[];
  state: Omit<GenerationRecord<End>, "text" | "toolCalls" | "model" | "chat" | "tokens" | "refusedTools">;
  refusedTools: { name: string; error: PackedError }[];
}

/** What the runtime of the model thread supplies; compiled cores come from the thread that started it. */
export interface ThreadPlatform extends Omit<Platform, "module"> {
  /** Opens a source that was passed; absent where only bytes are. */
  open?(source: unknown, options: LoadOptions): Promise<ByteSource>;
}

/** Serves one model to loadOffloaded() in another thread; returns what takes its messages. */
export function serveModel(channel: Channel, platform: ThreadPlatform): (message: unknown) => void {
  const handlers: Record<string, Handler> = {
    async load(signal, source: { passed?: unknown }, options: LoadOptions, builds: readonly Build[] | undefined) {
      const open = async (checked: LoadOptions): Promise<ByteSource> =>
        "passed" in source
          ? platform.open!(source.passed, checked)
          : { size: await link.call("openSource", []), chunks: link.iterate("source", []) };
      const module = (build: Build) => link.call<WebAssembly.Module>("module", [build]);
      const onProgress: LoadOptions["onProgress"] = (progress) => {
        link.call("progress", [progress]).catch(() => {}); // it has ended what it wanted to watch
      };
      const model = await loadModel(open, { ...options, signal, onProgress }, { ...platform, module, builds });
      Object.assign(handlers, modelHandlers(model, link));
      return model.info;
    },
  };
  const link = new Link(channel, handlers);
  return (message) => link.receive(message);
}

/** What is asked of a loaded model. Options of generations and chats have been checked on the other side. */
function modelHandlers(model: LoadedModel, link: Link): Record<string, Handler> {
  const { session, handlers: sessionHandlers } = sessionsOf(model);
  /** Tells who watches how far a prompt is read. */
  const onPrefill = (watch: number | undefined) =>
    watch === undefined
      ? undefined
      : (progress: PrefillProgress) => void link.call("prefill", [watch, progress]).catch(() => {});

  return {
    complete(signal, id: number | undefined, prompt: Prompt, generation: Generation, watch: number | undefined) {
      const target = id === undefined ? model : session(id);
      const completion = target.run(prompt, { ...generation, signal, onPrefill: onPrefill(watch) });
      return steps(completion, completion);
    },
    chat(signal, { generation, ...request }: ChatRequest, watch: number | undefined) {
      const record = new GenerationRecord<ChatFinishReason>();
      const options = { ...generation, signal, onPrefill: onPrefill(watch) };
      return steps(model.answer({ ...request, generation: options }, record), record);
    },
    embed: (signal, prompt, options) => model.embed(prompt, { ...options, signal }),
    tokenize: (_, text, options) => model.encode(text, options),
    detokenize: (_, tokens, options) => model.detokenize(tokens, options),
    logprobs: (signal, tokens, options) => model.logprobs(tokens, { ...options, signal }),
    lastLogits: (signal, tokens, adapters) => model.logits(tokens, { signal, adapters }),
    allLogits: (signal, tokens, adapters) => model.logits(tokens, { all: true, signal, adapters }),
    ...adapterHandlers(model),
    ...sessionHandlers,
  };
}

/** Adapters by their ids. */
function adapterHandlers(model: LoadedModel): Record<string, Handler> {
  const adapters = new Map<string, LoadedAdapter>();
  return {
    async openAdapter(signal, name: string, files: AdapterFiles): Promise<AdapterFacts> {
      const adapter = await model.adapterOf(name, files, signal);
      const { id, rank, bytes, hash } = adapter;
      adapters.set(id, adapter);
      return { id, name: adapter.name, rank, bytes, hash };
    },
    closeAdapter(_, id: string) {
      adapters.get(id)?.close();
      adapters.delete(id);
    },
  };
}

/** Sessions by numbers that the other side gives them. */
function sessionsOf(model: LoadedModel): { session(id: number): ModelSession; handlers: Record<string, Handler> } {
  const sessions = new Map<number, ModelSession>();
  /** Why sessions could not be opened. */
  const refused = new Map<number, unknown>();
  const session = (id: number): ModelSession => {
    const found = sessions.get(id);
    if (found) return found;
    throw refused.get(id) ?? closed("session");
  };
  const handlers: Record<string, Handler> = {
    openSession(_, id: number, options: SessionOptions) {
      try {
        sessions.set(id, model.session(options));
      } catch (error) {
        refused.set(id, error);
      }
    },
    async restore(_, id: number, snapshot, options: SessionOptions) {
      const restored = await model.restore(snapshot, options);
      sessions.set(id, restored);
      return restored.tokens;
    },
    save: (_, id: number) => session(id).save(),
    stats: () => model.stats(),
    sessionTokens: (_, id: number) => session(id).tokens,
    closeSession(_, id: number) {
      sessions.get(id)?.close();
      refused.delete(id);
      sessions.delete(id);
    },
  };
  return { session, handlers };
}

/** Pieces, and what `record` says of them. */
async function* steps(
  pieces: AsyncIterable<ChatPiece>,
  record: Pick<Completion, "tokens" | "endToken" | "usage" | "timings" | "receipt"> & {
    finishReason: ChatFinishReason | undefined;
    refusedTools?: readonly RefusedTool[];
  },
): AsyncGenerator<CompletionStep> {
  let sent = 0;
  const step = (): CompletionStep => {
    const { tokens, endToken, finishReason, usage, timings, receipt, refusedTools = [] } = record;
    const newTokens = tokens.slice(sent);
    sent = tokens.length;
    return {
      newTokens,
      state: { endToken, finishReason, usage, timings, receipt },
      refusedTools: refusedTools.map(({ name, error }) => ({ name, error: packError(error) })),
    };
  };
  for await (const piece of pieces) yield { piece, ...step() };
  yield step();
}
