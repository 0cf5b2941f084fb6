// A request's body as JSON, within limits of size, time and depth.

import { Queue } from "../../engine/queue.js";
import { concatenate } from "../../load/concatenate.js";
import type { Call } from "./call.js";
import { chooseVictim } from "./client.js";
import { ApiError, badRequest, clientGone } from "./errors.js";

/** Arrays and objects inside each other. JSON.parse() and those who walk over its result may recurse. */
const MAX_DEPTH = 100;
/** Bytes of all bodies that are on their way at most: they take memory before the queue knows of them. */
const MAX_PENDING = 64 * 1024 * 1024;

/** Bytes of a body that is parsed at once. */
const SMALL = 64 * 1024;

export interface BodyLimits {
  /** Bytes. */
  maxBody: number;
  /** Milliseconds. */
  bodyTimeout: number;
}

/** Reads bodies one after the other as far as that takes time, so that many large ones leave the event loop to others. */
export class BodyReader {
  readonly #limits: BodyLimits;
  readonly #parsing = new Queue();
  /** Bodies that are on their way, and all that has come of them. */
  readonly #bodies = new Set<Body>();
  #pending = 0;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  /** @throws ApiError 400, 408, 413, 415 or 429 */
  async readJson(request: Request, call: Call): Promise<unknown> {
    if (!isJson(request.headers)) {
      throw new ApiError(415, "the content-type must be application/json", { code: "unsupported_media_type" });
    }
    const bytes = await this.#readBytes(request, call);
    if (bytes.length <= SMALL) return parse(bytes);
    const release = await this.#parsing.enter(call.signal, call.client);
    try {
      await new Promise((resolve) => setTimeout(resolve));
      return parse(bytes);
    } finally {
      release();
    }
  }

  async #readBytes(request: Request, call: Call): Promise<Uint8Array> {
    const { signal } = call;
    const { maxBody, bodyTimeout } = this.#limits;
    if (Number(request.headers.get("content-length")) > maxBody) throw tooLarge(maxBody);
    const reader = request.body?.getReader();
    if (!reader) return new Uint8Array();
    let failure: unknown;
    const fail = (reason: unknown) => {
      failure ??= reason;
      reader.cancel().catch(() => {});
    };
    const leave = () => fail(signal.reason);
    const timer = setTimeout(() => fail(tooSlow()), bodyTimeout);
    signal.addEventListener("abort", leave, { once: true });
    const body: Body = { call, bytes: 0 };
    this.#bodies.add(body);
    try {
      const chunks: Uint8Array[] = [];
      for (;;) {
        const { done, value } = await reader.read();
        if (failure) throw failure;
        if (done) return concatenate(chunks);
        if (body.bytes + value.length > maxBody) throw tooLarge(maxBody);
        this.#add(body, value.length);
        chunks.push(value);
      }
    } catch (error) {
      throw failure ?? (error instanceof ApiError ? error : clientGone());
    } finally {
      this.#forget(body);
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
      reader.cancel().catch(() => {});
    }
  }

  /** @throws ApiError 429 when there is too much, and nobody has more than this client */
  #add(body: Body, bytes: number): void {
    body.bytes += bytes;
    this.#pending += bytes;
    while (this.#pending > Math.max(MAX_PENDING, this.#limits.maxBody)) {
      const { call } = body;
      const refused = chooseVictim(
        this.#bodies,
        call.client,
        ({ call }) => call.client,
        ({ bytes }) => bytes,
      );
      if (!refused) throw tooMany();
      this.#forget(refused);
      refused.call.abort(tooMany());
    }
  }

  #forget(body: Body): void {
    if (this.#bodies.delete(body)) this.#pending -= body.bytes;
  }
}

/**
 * Whether the body may be JSON: it says so, or comes from a curl of which nobody demanded that it say anything. Pages can send that too
 * without asking the server first, and must not, wherever a browser says where a request is from.
 */
function isJson(headers: Headers): boolean {
  const type = headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type === "application/json") return true;
  const isUnsaid = type === undefined || type === "application/x-www-form-urlencoded";
  return isUnsaid && !headers.has("origin") && !headers.has("sec-fetch-site");
}

interface Body {
  call: Call;
  /** That have come. */
  bytes: number;
}

function parse(bytes: Uint8Array): unknown {
  const text = decode(bytes);
  checkDepth(text);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`the body is not JSON: ${(error as Error).message}`, null, "invalid_json");
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw badRequest("the body is not valid UTF-8", null, "invalid_utf8");
  }
}

/** Counts brackets outside of strings; what is no JSON is left to JSON.parse(). */
function checkDepth(text: string): void {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') quoted = !quoted;
    else if (quoted) at += character === "\\" ? 1 : 0;
    else if (character === "[" || character === "{") depth++;
    else if (character === "]" || character === "}") depth--;
    if (depth > MAX_DEPTH) {
      throw badRequest(`the body is nested more than ${MAX_DEPTH} levels deep`, null, "invalid_json");
    }
  }
}

/** The error for a body of more than `limit` bytes. */
export function tooLarge(limit: number): ApiError {
  return new ApiError(413, `the body has more than ${limit} bytes`, { code: "body_too_large" });
}

function tooSlow(): ApiError {
  return new ApiError(408, "the body took too long", { code: "timeout" });
}

function tooMany(): ApiError {
  const headers = { "retry-after": "1" };
  return new ApiError(429, "too many requests at a time", { code: "too_many_requests", headers });
}
