// The thread that has the model.

import type {
  Build,
  Completion,
  FinishReason,
  GenerateOptions,
  LoadOptions,
  Model,
  Piece,
  Session,
  Timings,
  Usage,
} from "../api/api.js";
import { closed } from "../api/errors.js";
import type { ByteSource } from "../load/source.js";
import { loadModel, type Platform } from "../model/model.js";
import { type Channel, type Handler, Link } from "./link.js";

/** A token of a completion, or without a piece its end. */
export interface Step {
  piece?: Piece;
  /** Tokens that have been generated. */
  count: number;
  finishReason: FinishReason | undefined;
  usage: Usage | undefined;
  timings: Timings | undefined;
}

/** What the runtime of the model's thread supplies; compiled cores come from the thread that started it. */
export interface ThreadPlatform extends Omit<Platform, "module"> {
  /** Opens a source that was passed; absent where only bytes are. */
  open?(source: unknown, options: LoadOptions): Promise<ByteSource>;
}

/** Serves one model to loadOffloaded() in another thread; returns what takes its messages. */
export function serveModel(channel: Channel, platform: ThreadPlatform): (message: unknown) => void {
  let model: Model;
  const sessions = new Map<number, Session>();
  const session = (id: number): Session => {
    const found = sessions.get(id);
    if (!found) throw closed("session");
    return found;
  };

  const handlers: Record<string, Handler> = {
    async load(signal, source: { passed?: unknown }, options: LoadOptions) {
      const open = async (checked: LoadOptions): Promise<ByteSource> =>
        "passed" in source
          ? platform.open!(source.passed, checked)
          : { size: await link.call("openSource", []), chunks: link.iterate("source", []) };
      const module = (build: Build) => link.call<WebAssembly.Module>("module", [build]);
      const onProgress: LoadOptions["onProgress"] = (progress) => {
        link.call("progress", [progress]).catch(() => {}); // it has ended what it wanted to watch
      };
      model = await loadModel(open, { ...options, signal, onProgress }, { ...platform, module });
      return model.info;
    },
    async *complete(signal, id: number | undefined, prompt, options, watch: number | undefined) {
      const target = id === undefined ? model : session(id);
      const onPrefill: GenerateOptions["onPrefill"] =
        watch === undefined ? undefined : (progress) => void link.call("prefill", [watch, progress]).catch(() => {});
      const completion = target.complete(prompt, { ...options, onPrefill, signal });
      for await (const piece of completion) yield { piece, ...stateOf(completion) } satisfies Step;
      yield stateOf(completion) satisfies Step;
    },
    embed: (signal, prompt) => model.embed(prompt, { signal }),
    tokenize: (_, text, options) => model.tokenize(text, options),
    detokenize: (_, tokens, options) => model.detokenize(tokens, options),
    logprobs: (signal, tokens, options) => model.logprobs(tokens, { ...options, signal }),
    lastLogits: (signal, tokens) => model.logits(tokens, { signal }),
    allLogits: (signal, tokens) => model.logits(tokens, { all: true, signal }),
    openSession(_, id: number) {
      sessions.set(id, model.session());
    },
    async restore(_, id: number, snapshot) {
      const restored = await model.restore(snapshot);
      sessions.set(id, restored);
      return restored.tokens;
    },
    save: (_, id: number) => session(id).save(),
    sessionTokens: (_, id: number) => session(id).tokens,
    closeSession(_, id: number) {
      session(id).close();
      sessions.delete(id);
    },
  };
  const link = new Link(channel, handlers);
  return (message) => link.receive(message);
}

function stateOf({ tokens, finishReason, usage, timings }: Completion): Step {
  return { count: tokens.length, finishReason, usage, timings };
}
