// The thread that has the model.

import type {
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

/** Loads what the other thread wants; `source` is what it passed, or the AsyncIterable that it streams. */
export type LoadHere = (source: unknown, options: LoadOptions) => Promise<Model>;

/** Serves one model to loadOffloaded() in another thread; returns what takes its messages. */
export function serveModel(channel: Channel, load: LoadHere): (message: unknown) => void {
  let model: Model;
  const sessions = new Map<number, Session>();
  const session = (id: number): Session => {
    const found = sessions.get(id);
    if (!found) throw closed("session");
    return found;
  };

  const handlers: Record<string, Handler> = {
    async load(signal, source: { passed?: unknown }, options: LoadOptions) {
      const bytes = "passed" in source ? source.passed : link.iterate<Uint8Array>("source", []);
      const onProgress: LoadOptions["onProgress"] = (progress) => {
        link.call("progress", [progress]).catch(() => {}); // it has ended what it wanted to watch
      };
      model = await load(bytes, { ...options, signal, onProgress });
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
