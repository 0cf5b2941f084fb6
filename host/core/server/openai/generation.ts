// What chat and text completions have in common.

import type { AdapterUse, GenerateOptions, JsonSchema, ResponseFormat } from "../../api/api.js";
import { type ApiUsage, apiUsage } from "../../stream/openai.js";
import type { Call } from "../http/call.js";
import { badRequest } from "../http/errors.js";
import type { Progress } from "../http/figures.js";
import type { Demand, Texts } from "../served/backlog.js";
import type { Metrics } from "../served/metrics.js";
import type { Served } from "../served/served.js";
import { penaltyOptions } from "./penalties.js";
import type { TextBody } from "./schemas.js";
import { Watch } from "./watch.js";

/** A request on its way through a model. */
export interface RequestJob<Request> {
  served: Served;
  /** What the request calls it, with its adapters. */
  model: string;
  adapters: readonly AdapterUse[] | undefined;
  request: Request;
  call: Call;
  metrics: Metrics;
  /** Chat template of the server's options. */
  template: string | undefined;
  /** Whose KV it may use, see GenerateOptions. */
  cacheSalt: string | undefined;
}

/**
 * Does the work of a job, if its queue has room for it, with its model.
 * @param plan what it does, once there is the model
 * @throws ApiError 400 and 429 as Admission and Backlog, or as Served.use()
 */
export async function* admitted<Event>(
  { served, call }: RequestJob<unknown>,
  plan: () => { demand?: Demand; work(texts: Texts): AsyncGenerator<Event> },
): AsyncGenerator<Event> {
  const leave = served.admission.enter(call);
  try {
    const release = await served.use(call.signal);
    try {
      const { demand = NONE, work } = plan();
      const texts = await served.backlog.enter(call, demand, () => served.admission.retryAfter);
      try {
        yield* work(texts);
      } finally {
        texts.leave();
      }
    } finally {
      release();
    }
  } finally {
    leave();
  }
}
const NONE: Demand = { texts: 0, param: "", measure: async () => [] };

/** Does what gives one result. @throws as admitted() */
export async function once<T>(job: RequestJob<unknown>, work: () => Promise<T>): Promise<T> {
  const results: T[] = [];
  const once = async function* () {
    yield await work();
  };
  for await (const result of admitted(job, () => ({ work: once }))) results.push(result);
  return results[0]!;
}

/** A temperature of 0 means the best token and nothing else, as everywhere in OpenAI's API. @throws ApiError 400 */
export function generateOptions(
  { served, adapters, request, call, cacheSalt }: RequestJob<TextBody>,
  choice: number,
): GenerateOptions {
  const { temperature, top_p, top_k, min_p, repetition_penalty, logit_bias, stop, loop_stop, seed } = request;
  const greedy = temperature === 0 ? 1 : undefined;
  return {
    temperature,
    topP: top_p,
    topK: top_k === undefined ? undefined : Math.min(top_k, served.info.vocabulary),
    minP: min_p,
    ...penaltyOptions(request),
    repetitionPenalty: repetition_penalty ?? greedy,
    noRepeatNgram: greedy && 0,
    logitBias: logit_bias,
    stop,
    loopStop: loop_stop,
    // Negative ones come from clients that draw 64 bits.
    seed: seed === undefined ? undefined : BigInt.asUintN(64, BigInt(seed) + BigInt(choice)),
    responseFormat: responseFormat(request),
    receipt: request.receipt,
    adapters,
    client: call.client,
    cacheSalt,
    signal: call.signal,
  };
}

/** However a request says what its text has to be; it may say it once. */
function responseFormat(request: TextBody): ResponseFormat | undefined {
  const given = Object.entries(responseFormats(request)).flatMap(([name, format]) =>
    format ? [{ name, format }] : [],
  );
  if (given.length > 1) {
    const names = given.map(({ name }) => name);
    throw badRequest(`give one of ${names.join(", ")}`, names[0]!);
  }
  return given[0]?.format;
}

function responseFormats(request: TextBody): Record<string, ResponseFormat | undefined> {
  const { response_format, grammar, json_schema, format, guided_json } = request;
  const of = (schema: JsonSchema | undefined): ResponseFormat | undefined =>
    schema === undefined ? undefined : { type: "json_schema", schema };
  return {
    grammar: grammar === undefined ? undefined : { type: "grammar", grammar },
    response_format: openAiFormat(response_format),
    json_schema: of(json_schema),
    format: format === "json" ? { type: "json_object" } : of(format),
    guided_json: of(guided_json),
  };
}

function openAiFormat(format: TextBody["response_format"]): ResponseFormat | undefined {
  if (!format || format.type === "text") return undefined;
  const schema = format.schema ?? (format.type === "json_schema" ? format.json_schema?.schema : undefined);
  return schema === undefined ? { type: "json_object" } : { type: "json_schema", schema };
}

/** Adds up the usage of a request's generations; a prompt counts once, however many choices it has. */
export class UsageSum {
  readonly #job: RequestJob<Pick<TextBody, "stream" | "return_progress">>;
  #prompt = 0;
  #reused = 0;
  #completion = 0;

  constructor(job: RequestJob<Pick<TextBody, "stream" | "return_progress">>) {
    this.#job = job;
  }

  /** What watches the next generation. @param begun told when its prompt is being read */
  watch(begun: () => void): Watch {
    const { call, request, served } = this.#job;
    return new Watch(call.figures, served.pulse, request.stream === true && request.return_progress === true, begun);
  }

  /** @param choice of the same prompt */
  add(generation: Progress, choice: number, watch: Watch): void {
    const { metrics, served, call } = this.#job;
    const counts = call.figures.add(generation, watch.read);
    metrics.tokens(served.name, counts);
    this.#completion += counts.completionTokens;
    if (choice > 0) return;
    this.#prompt += counts.promptTokens;
    this.#reused += counts.reusedTokens;
  }

  toJSON(): ApiUsage {
    return apiUsage({ promptTokens: this.#prompt, completionTokens: this.#completion, reusedTokens: this.#reused });
  }
}
