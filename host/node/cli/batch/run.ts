// A batch from its lines to their answers, through the server's own handler.

import type { Server } from "../../../core/server/index.js";
import { ZagreusError } from "../../index.js";
import type { Answers } from "./answers.js";
import { Ids } from "./ids.js";
import { inOrder } from "./in_order.js";
import type { InputLine } from "./input_lines.js";
import { answerLine, type BadLine, type BatchRequest, readRequest } from "./request.js";

/** Answers that wait for one before them, for each request at work. */
const AHEAD = 16;

export interface BatchOptions {
  server: Pick<Server, "fetch">;
  lines: AsyncIterable<InputLine>;
  /** Bytes of a line at most. */
  longest: number;
  answers: Answers;
  /** Requests at work at a time. */
  parallel: number;
  signal: AbortSignal;
  /** Told of each answer that is written, or that an earlier run has written. */
  onAnswer(how: "answered" | "failed" | "known"): void;
}

/**
 * Answers what is not answered yet.
 * @throws ZagreusError INVALID_OPTION where the answers are to other lines, CLOSED when the model has failed; the signal's reason
 */
export async function runBatch({ server, answers, parallel, signal, onAnswer, ...input }: BatchOptions): Promise<void> {
  const requests = unanswered(readRequests(input), answers, () => onAnswer("known"));
  const ask = (request: BatchRequest | BadLine) => answer(server, request, signal);
  for await (const { line, failed } of inOrder(requests, ask, { parallel, ahead: parallel * AHEAD })) {
    await answers.write(line);
    onAnswer(failed ? "failed" : "answered");
  }
}

/** Lines as requests; of those with the same id the first. */
async function* readRequests({
  lines,
  longest,
}: Pick<BatchOptions, "lines" | "longest">): AsyncGenerator<BatchRequest | BadLine> {
  const ids = new Ids();
  for await (const { number, bytes } of lines) {
    const request = readRequest(bytes, longest);
    const { customId } = request;
    const isNew = customId === null || ids.add(customId);
    const wrong = isNew
      ? request
      : { customId, code: "duplicate_custom_id", message: "has a custom_id that was there" };
    yield "code" in wrong ? { ...wrong, message: `line ${number} ${wrong.message}` } : wrong;
  }
}

/** The requests behind those that have answers. */
async function* unanswered(
  requests: AsyncGenerator<BatchRequest | BadLine>,
  answers: Answers,
  onKnown: () => void,
): AsyncGenerator<BatchRequest | BadLine> {
  for await (const known of answers.known()) {
    const { done, value } = await requests.next();
    if (done || value.customId !== known) {
      const expected = done ? "the input has no line for it" : `the input has ${JSON.stringify(value.customId)} there`;
      throw new ZagreusError(
        "INVALID_OPTION",
        `"${answers.path}" has answers to another input: one is to ${JSON.stringify(known)}, ${expected}; name another file, or give --overwrite`,
        { field: "out", value: answers.path },
      );
    }
    onKnown();
  }
  yield* requests;
}

async function answer(
  server: Pick<Server, "fetch">,
  request: BatchRequest | BadLine,
  signal: AbortSignal,
): Promise<{ line: string; failed: boolean }> {
  if ("code" in request) {
    const { customId, code, message } = request;
    return { line: answerLine(customId, null, { code, message }), failed: true };
  }
  const { url, body } = request;
  const headers = { "content-type": "application/json" };
  const response = await server.fetch(new Request(`http://batch${url}`, { method: "POST", headers, body, signal }));
  const said = (await response.json()) as { error?: { code?: unknown; message: string } };
  signal.throwIfAborted(); // what was left is no answer
  if (response.status === 503 && said.error?.code === "model_unavailable") {
    throw new ZagreusError("CLOSED", `${said.error.message}; the same command goes on from here`);
  }
  const request_id = response.headers.get("x-request-id") ?? "";
  const line = answerLine(request.customId, { status_code: response.status, request_id, body: said }, null);
  return { line, failed: response.status !== 200 };
}
