// POST /v1/completions

import type { Completion, GenerateOptions, Receipt } from "../../api/api.js";
import { type ApiFinishReason, type ApiUsage, envelope, finishReason } from "../../stream/openai.js";
import { badRequest } from "../http/errors.js";
import type { Texts } from "../served/backlog.js";
import { admitted, generateOptions, type RequestJob, UsageSum } from "./generation.js";
import { LegacyLogprobs, type NamedToken, nameTokens } from "./legacy_logprobs.js";
import { tokensOf } from "./measure.js";
import { type CompletionBody, textsOf } from "./schemas.js";
import { sideBySide } from "./side_by_side.js";
import type { PromptProgress, Watch } from "./watch.js";

/** As in OpenAI's API. */
const DEFAULT_MAX_TOKENS = 16;
/** Log-probabilities that an answer has at most: they are kept until it is whole. */
const MAX_LOGPROBS = 2 ** 20;

/** What is new of a choice, or its end. */
type CompletionEvent =
  | { index: number; text: string; scored: NamedToken[] }
  | { index: number; reason: ApiFinishReason; receipt?: Receipt | undefined }
  | { index: number; progress: PromptProgress };

/** A choice of an answer, put together from its events. */
interface CompletionChoice {
  text: string;
  index: number;
  logprobs: LegacyLogprobs | null;
  finish_reason: ApiFinishReason | null;
  /** Where the request wants it; an extension. */
  receipt?: Receipt | undefined;
}

/** The whole answer. */
export async function textCompletion(job: RequestJob<CompletionBody>): Promise<object> {
  const usage = new UsageSum(job);
  const choices: CompletionChoice[] = [];
  for await (const event of events(job, usage)) {
    if ("progress" in event) continue;
    const { index } = event;
    choices[index] ??= { text: "", index, logprobs: newLogprobs(job), finish_reason: null };
    const choice = choices[index];
    if ("reason" in event) Object.assign(choice, { finish_reason: event.reason, receipt: event.receipt });
    else {
      choice.logprobs?.add(event.scored);
      choice.text += event.text;
    }
  }
  return { ...envelope("cmpl", "text_completion", job.model), choices, usage };
}

/** The answer in chunks. */
export async function* textChunks(job: RequestJob<CompletionBody>): AsyncGenerator<object> {
  const usage = new UsageSum(job);
  const withUsage = job.request.stream_options?.include_usage === true;
  const start = envelope("cmpl", "text_completion", job.model);
  const chunk = (choices: CompletionChoice[], usage: ApiUsage | null = null) => ({
    ...start,
    choices,
    ...(withUsage && { usage }),
  });
  const offsets = new Map<number, number>();
  for await (const event of events(job, usage)) {
    const { index } = event;
    if ("progress" in event) {
      const { progress: prompt_progress } = event;
      yield { ...chunk([{ text: "", index, logprobs: null, finish_reason: null }]), prompt_progress };
      continue;
    }
    if ("reason" in event) {
      yield chunk([{ text: "", index, logprobs: null, finish_reason: event.reason, receipt: event.receipt }]);
      continue;
    }
    const logprobs = newLogprobs(job, offsets.get(index));
    logprobs?.add(event.scored);
    offsets.set(index, logprobs?.end ?? 0);
    if (event.text || event.scored.length > 0) {
      yield chunk([{ text: event.text, index, logprobs, finish_reason: null }]);
    }
  }
  if (withUsage) yield chunk([], usage.toJSON());
}

function newLogprobs({ request }: RequestJob<CompletionBody>, offset = 0): LegacyLogprobs | null {
  return request.logprobs === undefined ? null : new LegacyLogprobs(offset);
}

/** Runs all prompts and choices side by side. */
function events(job: RequestJob<CompletionBody>, usage: UsageSum): AsyncGenerator<CompletionEvent> {
  const { served, request } = job;
  return admitted(job, () => {
    const maxTokens = request.max_tokens ?? Math.min(DEFAULT_MAX_TOKENS, served.maxTokens);
    if (request.max_tokens !== undefined) served.checkMaxTokens(request.max_tokens, "max_tokens");
    const prompts = textsOf("prompt", request.prompt, served.info.vocabulary);
    checkLogprobs(request, prompts, maxTokens);
    const choices = request.n ?? 1;
    const texts = prompts.flatMap((prompt) => Array.from({ length: choices }, (_, choice) => ({ prompt, choice })));
    const run = async function* (index: number, begun: Texts["begun"]) {
      const { prompt, choice } = texts[index]!;
      const options = { ...generateOptions(job, choice), maxTokens, logprobs: request.logprobs };
      const watch = usage.watch(() => begun(index));
      const done = (completion: Completion) => usage.add(completion, choice, watch);
      for await (const event of complete(job, prompt, options, watch, done)) yield { ...event, index };
    };
    const measure = async () =>
      (await tokensOf(served, prompts)).flatMap((tokens) => Array<number>(choices).fill(tokens));
    return {
      demand: { texts: texts.length, param: "prompt", measure },
      work: ({ begun }) => sideBySide(texts.map((_, index) => () => run(index, begun))),
    };
  });
}

/** Takes a text for as many tokens as it has characters. @throws ApiError 400 */
function checkLogprobs(
  { echo, n = 1, logprobs }: CompletionBody,
  prompts: readonly (string | number[])[],
  maxTokens: number,
): void {
  if (logprobs === undefined) return;
  const positions = prompts.reduce((sum, { length }) => sum + maxTokens + (echo ? length : 0), 0);
  const count = positions * n * (1 + logprobs);
  if (count <= MAX_LOGPROBS) return;
  throw badRequest(
    `logprobs: up to ${count} in the answer, must be at most ${MAX_LOGPROBS}; send smaller batches`,
    "logprobs",
  );
}

type CompletionChoiceEvent =
  | { text: string; scored: NamedToken[] }
  | { reason: ApiFinishReason; receipt?: Receipt | undefined }
  | { progress: PromptProgress };

async function* complete(
  job: RequestJob<CompletionBody>,
  prompt: string | number[],
  options: GenerateOptions,
  watch: Watch,
  done: (completion: Completion) => void,
): AsyncGenerator<CompletionChoiceEvent> {
  const { served, request } = job;
  const { model } = served;
  const { logprobs, echo } = request;
  let echoed = echo ? await echoOf(job, prompt) : undefined;
  const completion = model.complete(prompt, { ...options, onPrefill: watch.onPrefill });
  let ended = false; // with its last piece: by a stop string, or because nothing may follow
  try {
    for await (const step of watch.steps(completion)) {
      if ("progress" in step) {
        yield step;
        continue;
      }
      const { text, token, logprob, topLogprobs = [] } = step.piece;
      ended = completion.finishReason !== undefined;
      // Not before: what fails before the first token has a status of its own.
      if (echoed) yield echoed;
      echoed = undefined;
      const scored = logprob === undefined ? [] : [{ token, logprob, topLogprobs }];
      yield { text, scored: await nameTokens(served, scored) };
    }
  } finally {
    done(completion);
  }
  if (echoed) yield echoed;
  const reason = completion.finishReason;
  // Clients that score texts count on an entry for every token that they asked for.
  const { endToken } = completion;
  if (logprobs !== undefined && endToken && !ended) yield { text: "", scored: await nameTokens(served, [endToken]) };
  yield { reason: finishReason(reason), receipt: completion.receipt };
}

/** The prompt as the beginning of the text. */
async function echoOf(job: RequestJob<CompletionBody>, prompt: string | number[]) {
  const { served, request, call, cacheSalt } = job;
  const text = typeof prompt === "string" ? prompt : await served.model.detokenize(prompt);
  if (request.logprobs === undefined) return { text, scored: [] };
  const tokens = typeof prompt === "string" ? await served.tokenize(prompt) : prompt;
  const { client, signal } = call;
  const scored = await served.model.logprobs(tokens, {
    top: request.logprobs,
    adapters: job.adapters,
    client,
    cacheSalt,
    signal,
  });
  return { text, scored: await nameTokens(served, scored) };
}
