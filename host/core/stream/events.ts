// A completion as server-sent events: the chunks of OpenAI's API, which its clients, and those of llama.cpp and vLLM, read.

import type { ChatPiece, Piece } from "../api/api.js";
import { ZagreusError } from "../api/errors.js";
import { type ApiFinishReason, apiUsage, chatDeltas, envelope, event, finishReason } from "./openai.js";
import type { Known } from "./reading.js";

/** A chunk for every piece that says something, one with the reason of the end, one with the usage, and "[DONE]"; or the error. */
export async function* events(pieces: AsyncIterable<Piece>, record: Known): AsyncGenerator<{ text: string }> {
  const chunks = new Chunks(record);
  try {
    for await (const piece of pieces) yield* chunks.say(piece);
    yield* chunks.end();
  } catch (error) {
    yield { text: event({ error: describe(error) }) };
  }
  yield { text: event("[DONE]") };
}

class Chunks {
  readonly #record: Known;
  /** Made with the first piece: then is known what it is of. */
  #envelope: object | undefined;

  constructor(record: Known) {
    this.#record = record;
  }

  *say(piece: ChatPiece) {
    yield* this.#begin();
    const { chat } = this.#record;
    const deltas = chat ? chatDeltas(piece).map((delta) => ({ delta })) : piece.text ? [{ text: piece.text }] : [];
    for (const said of deltas) yield this.#choice(said, null);
  }

  *end() {
    yield* this.#begin();
    const { finishReason: reason, usage } = this.#record;
    yield this.#choice(this.#record.chat ? { delta: {} } : { text: "" }, finishReason(reason));
    if (usage) yield { text: event({ ...this.#envelope, choices: [], usage: apiUsage(usage) }) };
  }

  *#begin() {
    if (this.#envelope) return;
    const { chat, model = "default" } = this.#record;
    this.#envelope = chat
      ? envelope("chatcmpl", "chat.completion.chunk", model)
      : envelope("cmpl", "text_completion", model);
    if (chat) yield this.#choice({ delta: { role: "assistant", content: "" } }, null);
  }

  #choice(said: object, finish_reason: ApiFinishReason | null) {
    return { text: event({ ...this.#envelope, choices: [{ index: 0, ...said, logprobs: null, finish_reason }] }) };
  }
}

function describe(error: unknown): object {
  const known = error instanceof ZagreusError;
  const message = known ? error.message : "the model failed";
  return { message, type: "server_error", param: null, code: known ? error.code.toLowerCase() : "internal_error" };
}
