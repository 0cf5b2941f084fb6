// A text that grows. Its KV cache is kept as a snapshot in the object's storage, so that a request runs only what is new, even after the
// isolate is gone.

import { DurableObject } from "cloudflare:workers";
import { type Model, type Session, ZagreusError } from "zagreus-edge/cloudflare-workers";
import { sharedModel, type Weights } from "./model";

export const MAX_PROMPT = 10_000;
const MAX_TOKENS = 128;
/** Waiting for the conversation before, loading and generating, all together. */
const LIMIT_MS = 120_000;
/** A value in SQLite may have 2 MB. */
const PART_BYTES = 1024 * 1024;

type Send = (event: string, data: unknown) => void;

export class Conversation extends DurableObject<Weights> {
  /** Requests to one conversation wait for each other. */
  #last: Promise<void> = Promise.resolve();
  readonly #sql = this.ctx.storage.sql;

  constructor(ctx: DurableObjectState, env: Weights) {
    super(ctx, env);
    this.#sql.exec("CREATE TABLE IF NOT EXISTS snapshot (part INTEGER PRIMARY KEY, bytes BLOB NOT NULL)");
    this.#sql.exec("CREATE TABLE IF NOT EXISTS said (text TEXT NOT NULL)");
  }

  /** Events: "text" with a string, at last "end" with usage and timings, or "error" with code and message. */
  reply(prompt: string): Response {
    const gone = new AbortController();
    const encoder = new TextEncoder();
    const body = new ReadableStream<Uint8Array>({
      // Without back-pressure: a reader who falls asleep must not hold up the model for the others.
      start: (controller) => {
        const send: Send = (event, data) => {
          if (gone.signal.aborted) return;
          controller.enqueue(encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
        };
        const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(LIMIT_MS)]);
        this.#last = this.#last
          .then(() => this.#continue(prompt, send, signal))
          .catch((error) => send("error", describe(error)))
          .then(() => {
            if (!gone.signal.aborted) controller.close();
          });
      },
      cancel: () => gone.abort(new Error("the reader has gone")),
    });
    return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
  }

  async #continue(prompt: string, send: Send, signal: AbortSignal): Promise<void> {
    const model = await sharedModel(this.env, signal);
    const { session, before } = await this.#open(model);
    try {
      const completion = session.complete(before + prompt, { maxTokens: MAX_TOKENS, signal });
      try {
        for await (const { text } of completion) if (text) send("text", text);
      } finally {
        await this.#save(model, session); // also what was said until a reader left
      }
      const { finishReason, usage, timings } = completion;
      send("end", { finishReason, usage, timings });
    } finally {
      session.close();
    }
  }

  /** The session as it was saved. Where the model has changed since, a new one, and the text that was said `before`. */
  async #open(model: Model): Promise<{ session: Session; before: string }> {
    const parts = this.#sql.exec<{ bytes: ArrayBuffer }>("SELECT bytes FROM snapshot ORDER BY part").toArray();
    if (parts.length === 0) return { session: model.session(), before: "" };
    try {
      const snapshot = new Uint8Array(await new Blob(parts.map(({ bytes }) => bytes)).arrayBuffer());
      return { session: await model.restore(snapshot), before: "" };
    } catch (error) {
      if (!(error instanceof ZagreusError)) throw error;
      const { text } = this.#sql.exec<{ text: string }>("SELECT text FROM said").one();
      return { session: model.session(), before: text };
    }
  }

  async #save(model: Model, session: Session): Promise<void> {
    if (session.tokens.length === 0) return; // nothing was said, and what is stored stays
    const snapshot = await session.save();
    const text = model.detokenize(session.tokens);
    this.ctx.storage.transactionSync(() => {
      this.#sql.exec("DELETE FROM snapshot");
      for (let at = 0; at < snapshot.length; at += PART_BYTES) {
        this.#sql.exec(
          "INSERT INTO snapshot VALUES (?, ?)",
          at / PART_BYTES,
          snapshot.slice(at, at + PART_BYTES).buffer,
        );
      }
      this.#sql.exec("DELETE FROM said");
      this.#sql.exec("INSERT INTO said VALUES (?)", text);
    });
  }
}

function describe(error: unknown): { code: string; message: string } {
  if (error instanceof ZagreusError) return { code: error.code, message: error.message };
  console.error(error);
  return { code: "INTERNAL", message: "something went wrong" };
}
