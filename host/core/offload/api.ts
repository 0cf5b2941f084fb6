// The public surface of a model in another thread.

import type {
  Completion,
  DetokenizeOptions,
  GenerateOptions,
  LoadOptions,
  Model,
  ModelStats,
  Prompt,
  Session,
  SessionOptions,
  TokenizeOptions,
} from "../api/api.js";

/** Options of load() where a model may live in another thread. */
export interface OffloadOptions extends LoadOptions {
  /** Whether the model lives in a thread of its own, so that the caller's stays free. Default: false. */
  offload?: boolean | undefined;
}

/** As Session, but `tokens` follows when a completion ends. */
export type OffloadedSession = Session;

/** A Model in another thread: what it does not know by itself comes as a promise. close() ends the thread. */
export interface OffloadedModel extends Omit<Model, "tokenize" | "detokenize" | "stats" | "compileGrammar"> {
  /** What it is doing, and has done since it was loaded. */
  stats(): Promise<ModelStats>;
  /** Continues a prompt, as Model.complete() does. */
  complete(prompt: Prompt, options?: GenerateOptions): Completion;
  /** Token ids of a text, or of its UTF-8 bytes. */
  tokenize(text: string | Uint8Array, options?: TokenizeOptions): Promise<number[]>;
  /** The text of tokens; bytes that are no UTF-8 become U+FFFD. */
  detokenize(tokens: ArrayLike<number>, options?: DetokenizeOptions): Promise<string>;
  /** An empty session. */
  session(options?: SessionOptions): OffloadedSession;
  /**
   * The session that Session.save() wrote, with the same adapters.
   * @throws ZagreusError BAD_SNAPSHOT | FOREIGN_SNAPSHOT | CONTEXT_OVERFLOW
   */
  restore(snapshot: Uint8Array, options?: SessionOptions): Promise<OffloadedSession>;
}
