// POST /v1/chat/completions

import type { ChatCompletion, ChatOptions, ChatPiece, Receipt, ToolCall } from "../../api/api.js";
import { addDelta } from "../../stream/calls.js";
import { type ApiFinishReason, type ApiUsage, chatDeltas, envelope, finishReason } from "../../stream/openai.js";
import { badRequest } from "../http/errors.js";
import type { Served } from "../served/served.js";
import { admitted, generateOptions, type RequestJob, UsageSum } from "./generation.js";
import { aboutChatTokens } from "./measure.js";
import type { ChatBody } from "./schemas.js";
import { sideBySide } from "./side_by_side.js";
import type { PromptProgress, Watch } from "./watch.js";

/** Tokens of a reply where the request sets no limit. */
const DEFAULT_MAX_TOKENS = 1024;

interface OpenAiLogprob {
  token: string;
  logprob: number;
  /** Of UTF-8; null for a part of a character. */
  bytes: number[] | null;
}
export type ContentLogprob = OpenAiLogprob & { top_logprobs: OpenAiLogprob[] };

/** What a choice has to say: something new, or its end. */
type ChatChoiceEvent =
  | { index: number; piece: ChatPiece; logprobs: ContentLogprob[] }
  /** `isCut`: it ended before a stop string, or where a grammar has its end. */
  | { index: number; reason: ApiFinishReason; isCut: boolean; receipt: Receipt | undefined };
type ChatEvent = ChatChoiceEvent | { refused: RefusedTools } | { index: number; progress: PromptProgress };

/** Tools that were not offered to the model; an extension. */
type RefusedTools = { refused_tools?: { name: string; message: string }[] };

/** The whole answer. */
export async function chatCompletion(job: RequestJob<ChatBody>): Promise<object> {
  const usage = new UsageSum(job);
  const choices: ChatChoice[] = [];
  let refused: RefusedTools = {};
  for await (const event of chatEvents(job, usage)) {
    if ("refused" in event) {
      ({ refused } = event);
      continue;
    }
    if ("progress" in event) continue;
    choices[event.index] ??= new ChatChoice(event.index, job.request.logprobs === true);
    choices[event.index]!.add(event);
  }
  return { ...envelope("chatcmpl", "chat.completion", job.model), choices, usage, ...refused };
}

/** The answer in chunks. */
export async function* chatChunks(job: RequestJob<ChatBody>): AsyncGenerator<object> {
  const usage = new UsageSum(job);
  const { logprobs: wanted, stream_options } = job.request;
  const withUsage = stream_options?.include_usage === true;
  const start = envelope("chatcmpl", "chat.completion.chunk", job.model);
  const chunk = (choices: object[], usage: ApiUsage | null = null) => ({
    ...start,
    choices,
    ...(withUsage && { usage }),
  });
  const choice = (
    index: number,
    delta: object,
    finish_reason: ApiFinishReason | null,
    logprobs: ContentLogprob[] = [],
    receipt?: Receipt,
  ) =>
    chunk([
      {
        index,
        delta,
        logprobs: wanted && logprobs.length > 0 ? { content: logprobs, refusal: null } : null,
        finish_reason,
        receipt,
      },
    ]);
  const begun = new Set<number>();
  for await (const event of chatEvents(job, usage)) {
    if ("refused" in event) {
      yield { ...chunk([]), ...event.refused };
      continue;
    }
    const { index } = event;
    if ("progress" in event) {
      const { progress: prompt_progress } = event;
      yield { ...choice(index, { role: "assistant", content: null }, null), prompt_progress };
      continue;
    }
    if (!begun.has(index)) yield choice(index, { role: "assistant", content: "" }, null);
    begun.add(index);
    if ("reason" in event) yield choice(index, {}, event.reason, [], event.receipt);
    else {
      const [first, ...more] = chatDeltas(event.piece);
      if (first || event.logprobs.length > 0) yield choice(index, first ?? {}, null, event.logprobs);
      for (const delta of more) yield choice(index, delta, null);
    }
  }
  if (withUsage) yield chunk([], usage.toJSON());
}

/**
 * Runs all choices side by side.
 * @param maxTokens of a reply where the request sets no limit
 */
export function chatEvents(
  job: RequestJob<ChatBody>,
  usage: UsageSum,
  maxTokens = DEFAULT_MAX_TOKENS,
): AsyncGenerator<ChatEvent> {
  return admitted(job, () => {
    const { served, request, call } = job;
    const base = chatOptions(job, maxTokens);
    const texts = request.n ?? 1;
    const measure = async () => {
      const { responseFormat } = generateOptions(job, 0);
      const tokens = await aboutChatTokens(served, request.messages, { ...base, responseFormat }, call);
      return Array<number>(texts).fill(tokens);
    };
    return {
      demand: { texts, param: "messages", measure },
      async *work({ begun }) {
        let told = false;
        const choice = (index: number) => () =>
          choiceOf(
            job,
            base,
            index,
            usage.watch(() => begun(index)),
            usage,
          );
        for await (const event of sideBySide(Array.from({ length: texts }, (_, index) => choice(index)))) {
          if ("refused" in event && told) continue;
          told ||= "refused" in event;
          yield event;
        }
      },
    };
  });
}

async function* choiceOf(
  job: RequestJob<ChatBody>,
  base: ChatOptions,
  index: number,
  watch: Watch,
  usage: UsageSum,
): AsyncGenerator<ChatEvent> {
  const { served, request } = job;
  const options = { ...base, ...generateOptions(job, index), onPrefill: watch.onPrefill };
  const completion = served.model.chat(request.messages, options);
  let told = false;
  try {
    for await (const step of watch.steps(completion)) {
      if ("progress" in step) {
        yield { index, ...step };
        continue;
      }
      const { piece } = step;
      if (!told && completion.refusedTools.length > 0) yield { refused: refusedTools(completion) };
      told = true;
      yield { index, piece, logprobs: request.logprobs ? await logprobsOf(served, piece) : [] };
    }
  } catch (error) {
    throw ofMessages(error);
  } finally {
    usage.add(completion, index, watch);
  }
  const isCut = completion.finishReason === "stop" && completion.endToken === undefined;
  yield { index, reason: finishReason(completion.finishReason), isCut, receipt: completion.receipt };
}

/** A prompt that is too long is the messages' fault: a request for a chat has no other. */
function ofMessages(error: unknown): unknown {
  const isTooLong = error instanceof Error && "code" in error && error.code === "CONTEXT_OVERFLOW";
  return isTooLong ? badRequest(error.message, "messages", "context_length_exceeded") : error;
}

const refusedTools = ({ refusedTools }: ChatCompletion): RefusedTools => ({
  refused_tools: refusedTools.map(({ name, error }) => ({ name, message: error.message })),
});

/** Options of the model's chat. @param maxTokens of a reply where the request sets no limit. @throws ApiError 400 */
export function chatOptions({ served, request, template }: RequestJob<ChatBody>, maxTokens: number): ChatOptions {
  const { max_completion_tokens, max_tokens, logprobs, top_logprobs, tools, tool_choice } = request;
  const limit = max_completion_tokens ?? max_tokens;
  const param = max_completion_tokens === undefined ? "max_tokens" : "max_completion_tokens";
  if (limit !== undefined) served.checkMaxTokens(limit, param);
  if (top_logprobs !== undefined && !logprobs) throw badRequest("top_logprobs needs logprobs: true", "top_logprobs");
  return {
    maxTokens: limit ?? Math.min(maxTokens, served.maxTokens),
    logprobs: logprobs ? (top_logprobs ?? 0) : undefined,
    tools: tools?.length ? tools : undefined,
    toolChoice: tool_choice,
    parallelToolCalls: request.parallel_tool_calls,
    continueFinalMessage: request.continue_final_message,
    template,
  };
}

/** The token of a piece as an entry of logprobs; an end token has none. */
async function logprobsOf(served: Served, piece: ChatPiece): Promise<ContentLogprob[]> {
  const { token, logprob, topLogprobs = [] } = piece;
  if (logprob === undefined || served.info.tokenizer.end.includes(token)) return [];
  const entry = async (id: number, value: number): Promise<OpenAiLogprob> => {
    const { name } = await served.tokenText(id);
    const bytes = name.includes("\ufffd") ? null : [...new TextEncoder().encode(name)];
    return { token: name, logprob: value, bytes };
  };
  const top = await Promise.all(topLogprobs.map((one) => entry(one.token, one.logprob)));
  return [{ ...(await entry(token, logprob)), top_logprobs: top }];
}

/** A choice of a whole answer, put together from its events. */
class ChatChoice {
  readonly #index: number;
  readonly #logprobs: ContentLogprob[] | undefined;
  readonly #calls: ToolCall[] = [];
  #text = "";
  #reason: ApiFinishReason | null = null;
  /** Where the request wants it; an extension. */
  #receipt: Receipt | undefined;

  constructor(index: number, logprobs: boolean) {
    this.#index = index;
    this.#logprobs = logprobs ? [] : undefined;
  }

  add(event: ChatChoiceEvent): void {
    if ("reason" in event) {
      this.#reason = event.reason;
      this.#receipt = event.receipt;
      return;
    }
    this.#text += event.piece.text;
    this.#logprobs?.push(...event.logprobs);
    for (const delta of event.piece.toolCalls ?? []) addDelta(this.#calls, delta);
  }

  toJSON(): object {
    const calls = this.#calls.length > 0;
    const message = {
      role: "assistant",
      content: this.#text === "" && calls ? null : this.#text,
      refusal: null,
      ...(calls && { tool_calls: this.#calls }),
    };
    const logprobs = this.#logprobs ? { content: this.#logprobs, refusal: null } : null;
    return { index: this.#index, message, logprobs, finish_reason: this.#reason, receipt: this.#receipt };
  }
}
