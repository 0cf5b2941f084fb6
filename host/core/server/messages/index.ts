// POST /v1/messages and /v1/messages/count_tokens, Anthropic's API: the chat of /v1/chat/completions in other words.

import type { Context } from "hono";
import type { Call } from "../http/call.js";
import type { ApiError } from "../http/errors.js";
import { eventStream, type StreamOptions } from "../http/event_stream.js";
import { chatEvents } from "../openai/chat.js";
import { countPrompt } from "../openai/count.js";
import { type RequestJob, UsageSum } from "../openai/generation.js";
import type { ChatBody } from "../openai/schemas.js";
import { chatRequest } from "./request.js";
import { type MessagesBody, parseMessages } from "./schemas.js";
import { type MessageEvent, MessageWriter, type StopReason } from "./writer.js";

/** What it needs of the server. */
interface Service {
  job(request: Request, call: Call, parse: (body: unknown) => MessagesBody): Promise<RequestJob<MessagesBody>>;
  streamOptions(job: RequestJob<unknown>): StreamOptions;
  describe(error: unknown, call: Call): ApiError;
}

/** Where a request does not say, which Anthropic would refuse. */
const DEFAULT_MAX_TOKENS = 4096;

const TYPES: Record<number, string> = {
  ...{ 401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large" },
  ...{ 429: "rate_limit_error", 500: "api_error", 503: "overloaded_error" },
};

type Ctx = Context<{ Bindings: { call: Call } }>;

/** Answers POST /v1/messages, also with its errors. */
export function message(service: Service, c: Ctx): Promise<Response> {
  return withErrors(service, c, async (job) => {
    const writer = new MessageWriter(job.model);
    // Progress is told in streams only; what is not streamed is read here.
    const request: ChatBody = { ...chatRequest(job.request), stream: true };
    const events = eventsOf({ ...job, request }, writer, job.request.stop_sequences ?? []);
    if (job.request.stream) return await eventStream(events, { ...service.streamOptions(job), format: FORMAT });
    for await (const _ of events);
    return c.json(writer.message);
  });
}

/** Answers POST /v1/messages/count_tokens, also with its errors. */
export function countTokens(service: Service, c: Ctx): Promise<Response> {
  return withErrors(service, c, async (job) => {
    return c.json({ input_tokens: await countPrompt({ ...job, request: chatRequest(job.request) }) });
  });
}

async function withErrors(
  service: Service,
  c: Ctx,
  answer: (job: RequestJob<MessagesBody>) => Promise<Response>,
): Promise<Response> {
  const { call } = c.env;
  try {
    return await answer(await service.job(c.req.raw, call, parseMessages));
  } catch (error) {
    const { status, message, headers } = service.describe(error, call);
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
    return c.json({ ...failure(status, message), request_id: call.id }, status as 400);
  }
}

async function* eventsOf(
  job: RequestJob<ChatBody>,
  writer: MessageWriter,
  stops: readonly string[],
): AsyncGenerator<MessageEvent> {
  const usage = new UsageSum(job);
  let prompt = { total: 0, cache: 0 };
  let begun = false;
  for await (const event of chatEvents(job, usage, DEFAULT_MAX_TOKENS)) {
    if ("refused" in event) continue;
    if ("progress" in event) {
      prompt = event.progress;
      continue;
    }
    if (!begun) yield* writer.begin(prompt.total, prompt.cache);
    begun = true;
    if ("reason" in event) {
      const isStop = event.isCut && stops.length > 0 && !job.request.response_format;
      const stop = isStop && stops.length === 1 ? stops[0]! : null; // of several it is not known which
      yield* writer.end(isStop ? "stop_sequence" : REASONS[event.reason], stop, usage.toJSON());
    } else {
      const { text, toolCalls = [] } = event.piece;
      if (text) yield* writer.text(text);
      for (const call of toolCalls) yield* writer.call(call);
    }
  }
}
const REASONS: Record<"stop" | "length" | "tool_calls", StopReason> = {
  ...{ stop: "end_turn", length: "max_tokens", tool_calls: "tool_use" },
};

const failure = (status: number, message: string) => ({
  type: "error",
  error: { type: TYPES[status] ?? "invalid_request_error", message },
});

/** Events have names, and nothing comes behind the last. */
const FORMAT = {
  event: (event: object) => named(event as MessageEvent),
  failure: ({ message, type }: { message: string; type: string }) =>
    named({ type: "error", error: { type: type === "server_error" ? "api_error" : type, message } }),
  end: "",
};
const named = (event: MessageEvent) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
