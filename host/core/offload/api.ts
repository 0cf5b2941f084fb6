// The public surface of a model in another thread.

import type {
  Completion,
  DetokenizeOptions,
  GenerateOptions,
  LoadOptions,
  Model,
  Prompt,
  Session,
  TokenizeOptions,
} from "../api/api.js";

export interface OffloadOptions extends LoadOptions {
  /** Whether the model lives in a thread of its own, so that the caller's stays free. Default: false. */
  offload?: boolean | undefined;
}

/** As Session, but `tokens` follows when a completion ends. */
export type OffloadedSession = Session;

/** A Model in another thread: what it does not know by itself comes as a promise. close() ends the thread. */
export interface OffloadedModel extends Omit<Model, "tokenize" | "detokenize"> {
  complete(prompt: Prompt, options?: GenerateOptions): Completion;
  tokenize(text: string | Uint8Array, options?: TokenizeOptions): Promise<number[]>;
  detokenize(tokens: ArrayLike<number>, options?: DetokenizeOptions): Promise<string>;
  session(): OffloadedSession;
  restore(snapshot: Uint8Array): Promise<OffloadedSession>;
}
