// A completion that is to be read.

import type { ChatFinishReason, Piece, ToolCall, Usage } from "../api/api.js";

/** What is known of a completion, by now. */
export interface Known {
  /** What has been read. */
  text: string;
  /** Calls of a chat, if there are some. */
  toolCalls: ToolCall[] | undefined;
  /** The model's name. */
  model: string | undefined;
  /** Whether it is a chat. */
  chat: boolean;
  readonly finishReason: ChatFinishReason | undefined;
  readonly usage: Usage | undefined;
}

/** What there is to read. */
export interface Reading<P extends Piece = Piece, R extends Known = Known> {
  /** Makes the pieces, when they are asked for, and writes the record; `signal` fires when nobody wants them any more. */
  generate(record: R, signal: AbortSignal): AsyncGenerator<P>;
  record: R;
  /** Aborted when the reader leaves, or `signal` fires. */
  left: AbortController;
  /** The caller's. */
  signal?: AbortSignal | undefined;
}
