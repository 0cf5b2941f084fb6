// A line of a batch as OpenAI has it, {custom_id, method, url, body}, or what is wrong with it.

import { randomUUID } from "node:crypto";

/** What a line may ask for. */
const URLS = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"];
const MAX_SHOWN = 80;

export interface BatchRequest {
  customId: string;
  url: string;
  /** As JSON. */
  body: string;
}
/** A line that nothing can be asked with. */
export interface BadLine {
  customId: string | null;
  code: string;
  message: string;
}

/** @param bytes of the line; undefined where it is longer than `longest` */
export function readRequest(bytes: Uint8Array | undefined, longest: number): BatchRequest | BadLine {
  if (!bytes) return { customId: null, code: "line_too_long", message: `has more than ${longest} bytes` };
  const bad = (code: string, message: string): BadLine => ({ customId: null, code, message });
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return bad("invalid_utf8", "is not valid UTF-8");
  }
  try {
    const line: unknown = JSON.parse(text);
    return isObject(line) ? checked(line) : bad("invalid_json", "is no JSON object");
  } catch (error) {
    return bad("invalid_json", `is not JSON: ${(error as Error).message}`);
  }
}

function checked({ custom_id: id, method, url, body }: Record<string, unknown>): BatchRequest | BadLine {
  const customId = typeof id === "string" && id !== "" ? id : null;
  const bad = (code: string, message: string): BadLine => ({ customId, code, message });
  if (customId === null) return bad("invalid_custom_id", `custom_id is ${shown(id)}, must be a text that is not empty`);
  if (method !== "POST") return bad("invalid_method", `method is ${shown(method)}, must be "POST"`);
  if (typeof url !== "string" || !URLS.includes(url)) {
    return bad("invalid_url", `url is ${shown(url)}, must be one of ${URLS.join(", ")}`);
  }
  if (!isObject(body)) return bad("invalid_body", `body is ${shown(body)}, must be an object`);
  if (body.stream !== undefined && body.stream !== null && body.stream !== false) {
    return bad("stream_unsupported", `stream is ${shown(body.stream)}: what a batch answers is whole`);
  }
  return { customId, url, body: JSON.stringify(body) };
}

/** A line of the output. */
export function answerLine(
  customId: string | null,
  response: { status_code: number; request_id: string; body: unknown } | null,
  error: { code: string; message: string } | null,
): string {
  const id = `batch_req_${randomUUID().replaceAll("-", "")}`;
  return JSON.stringify({ id, custom_id: customId, response, error });
}

function shown(value: unknown): string {
  const text = value === undefined ? "missing" : JSON.stringify(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
