// How a completion is read: as pieces, as its text's bytes, or as server-sent events.

import type { ChatPiece, Piece } from "../api/api.js";
import { part } from "../api/errors.js";
import { addDelta } from "./calls.js";
import type { Known, Reading } from "./reading.js";

/** The pieces, or bytes of a format. @throws what makes the pieces throws; in events it is the last one but "[DONE]" */
export async function* read<P extends Piece, R extends Known>(
  reading: Reading<P, R>,
  format?: "text" | "sse",
): AsyncGenerator<P | Uint8Array> {
  const pieces = follow(reading);
  if (!format) return yield* pieces;
  const texts = format === "text" ? pieces : (await part(import("./events.js"))).events(pieces, reading.record);
  const encoder = new TextEncoder();
  for await (const { text } of texts) if (text) yield encoder.encode(text);
}

async function* follow<P extends Piece, R extends Known>(reading: Reading<P, R>): AsyncGenerator<P> {
  const { record, signal, left } = reading;
  const leave = () => left.abort(signal?.reason);
  if (signal?.aborted) leave();
  signal?.addEventListener("abort", leave, { once: true });
  try {
    for await (const piece of reading.generate(record, left.signal)) {
      record.text += piece.text;
      const { toolCalls } = piece as ChatPiece;
      if (toolCalls) record.toolCalls ??= [];
      for (const delta of toolCalls ?? []) addDelta(record.toolCalls!, delta);
      yield piece;
    }
  } finally {
    signal?.removeEventListener("abort", leave);
  }
}
