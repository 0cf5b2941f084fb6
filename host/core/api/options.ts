// Checks what callers pass in, before anything runs.

import { LOGIT_ROWS, MAX_LOGIT_BIAS, MAX_SEQUENCES, MAX_THREADS, MAX_TOP } from "../../../assembly/layout/abi.js";
import { MAX_ADAPTER_RANK, MAX_ADAPTERS } from "../../../assembly/layout/adapters.js";
import { MAX_CONTEXT } from "../../../assembly/layout/gguf.js";
import type { GenerateOptions, KvType, LoadProgress, PrefillProgress, Prompt, ResponseFormat } from "./api.js";
import {
  abortSignal,
  callback,
  type Field,
  type Fields,
  flag,
  integer,
  type Limits,
  list,
  nested,
  number,
  type Output,
  object,
  oneOf,
  string,
  table,
  VOCABULARY,
  withDefault,
} from "./check.js";
import { invalidOption } from "./errors.js";
import { failure } from "./messages.js";
import { BUILDS, KV_TYPES } from "./names.js";

const U64_MAX = 0xffffffffffffffffn;
const MAX_LOOKUP_NGRAM = 8;
const MAX_TRIGGER = 256;
/** Defaults of LoadOptions. */
export const CACHE_BUDGET = 64 * 2 ** 20;
export const SEQUENCES = MAX_SEQUENCES;

const alternatives: Field<number | undefined> = (value, path, limits) =>
  integer(0, Math.min(MAX_TOP, limits.vocabulary))(value, path, limits);

const DRY = {
  multiplier: number(0, 100, 0.8),
  base: number(1, 100, 1.75),
  allowedLength: integer(0, MAX_CONTEXT, 2),
  penaltyLastN: integer(0, MAX_CONTEXT, 64),
  sequenceBreakers: (value: unknown, path: string) => stopStrings(value ?? ["\n", ":", '"', "*"], path),
};
/** `dry` of GenerateOptions, with defaults filled in: llama.cpp's. */
export type Dry = Output<typeof DRY>;

const LOOKUP = {
  ngram: integer(1, MAX_LOOKUP_NGRAM, 3),
  tokens: integer(1, LOGIT_ROWS - 1, LOGIT_ROWS - 1),
};
/** `promptLookup` of GenerateOptions, with defaults filled in. */
export type Lookup = Output<typeof LOOKUP>;

const isAdapter = (value: unknown): value is { id: string } =>
  typeof value === "object" && value !== null && typeof (value as { id?: unknown }).id === "string";
const checkUse = table({
  adapter(value: unknown, path: string) {
    if (isAdapter(value)) return { id: value.id };
    throw invalidOption(path, value, "what model.adapter() gave");
  },
  scale: number(-1e4, 1e4, 1),
});
const adapters = (...[value, path, limits]: Parameters<Field>) =>
  value === undefined ? undefined : list(value, path, 256).map((use, i) => checkUse(use, limits, `${path}[${i}]`));
/** `adapters` of all that have it, with every default filled in. */
export type AdapterList = ReturnType<typeof adapters>;

/** Options of a generation. host/wasi makes its own checks of the ranges. */
export const GENERATE = {
  maxTokens: integer(0, MAX_CONTEXT, 256),
  temperature: number(0, 100, 0.8),
  topK: integer(0, VOCABULARY, 0),
  topP: number(0, 1, 1),
  minP: number(0, 1, 0),
  repetitionPenalty: number(0.01, 100, 1),
  frequencyPenalty: number(-2, 2, 0),
  presencePenalty: number(-2, 2, 0),
  dry: switchable(DRY),
  noRepeatNgram: integer(0, MAX_CONTEXT, 0),
  logitBias,
  seed,
  stop: stopStrings,
  loopStop: flag,
  logprobs: alternatives,
  promptLookup: switchable(LOOKUP),
  responseFormat,
  overflow,
  adapters,
  receipt: flag,
  onPrefill: callback<(progress: PrefillProgress) => void>(),
  client: string,
  cacheSalt: string,
  signal: abortSignal,
};
/** Generation options with every default filled in. */
export type Generation = Output<typeof GENERATE>;

/** `overflow` of GenerateOptions, as far as it says more than "stop". */
export interface Overflow {
  /** Tokens at the beginning that stay. */
  keep: number;
}

const SCORE = {
  top: withDefault(alternatives, 0),
  from: integer(0, MAX_CONTEXT, 0),
  adapters,
  client: string,
  cacheSalt: string,
  signal: abortSignal,
};
/** Options of logprobs() with every default filled in. */
export type Scoring = Output<typeof SCORE>;

const EMBED = { adapters, client: string, cacheSalt: string, signal: abortSignal };
export type Embedding = Output<typeof EMBED>;

const LOAD = {
  contextLength: integer(1, MAX_CONTEXT),
  kvType: oneOf(...(Object.keys(KV_TYPES) as KvType[])),
  memoryBudget: integer(1, Number.MAX_SAFE_INTEGER),
  build: oneOf(...BUILDS),
  threads: integer(1, MAX_THREADS),
  cacheBudget: integer(0, Number.MAX_SAFE_INTEGER),
  sequences: integer(1, MAX_SEQUENCES),
  promptCache: switchable({ folder: string, bytes: integer(1, Number.MAX_SAFE_INTEGER, 2 ** 30) }),
  adapters: nested({ slots: integer(1, MAX_ADAPTERS, 1), rank: integer(1, MAX_ADAPTER_RANK, 16) }),
  quantize: nested({ type: oneOf("q4_0", "q8_0"), calibrate: flag, keepSource: flag }),
  signal: abortSignal,
  onProgress: callback<(progress: LoadProgress) => void>(),
};

/**
 * @param defaults what comes before the defaults of the table
 * @throws ZagreusError INVALID_OPTION naming the option, its value and what it must be
 */
export function checkGenerateOptions(
  options: GenerateOptions,
  vocabulary: number,
  contextLength = MAX_CONTEXT,
  defaults: GenerateOptions = {},
): Generation {
  const checked = checkGenerate(options, { vocabulary, contextLength });
  const open = Object.entries(defaults).filter(([name]) => options[name as keyof GenerateOptions] === undefined);
  return Object.assign(checked, Object.fromEntries(open));
}
const checkGenerate = table(GENERATE);
const checkScore = table(SCORE);

/** @throws ZagreusError INVALID_OPTION, as all of these */
export const checkLoadOptions = table(LOAD);
export const checkTokenizeOptions = table({ special: flag, bos: flag, continues: flag, strict: flag });
export const checkDetokenizeOptions = table({ special: flag, continues: flag });
export const checkLogprobsOptions = (options: unknown, vocabulary: number) =>
  checkScore(options, { vocabulary, contextLength: MAX_CONTEXT });
export const checkLogitsOptions = table({ all: flag, adapters, signal: abortSignal });
export const checkSessionOptions = table({ adapters });
export const checkAdapterOptions = table({ signal: abortSignal });
export const checkEmbedOptions = table(EMBED);

/** Takes `offload` out of the options. @throws ZagreusError INVALID_OPTION */
export function splitOffload<T extends { offload?: boolean | undefined }>(options: T) {
  object(options, "options");
  const { offload, ...rest } = options;
  if (offload !== undefined && typeof offload !== "boolean") throw invalidOption("offload", offload, "true or false");
  return { offload, rest };
}

/** A prompt whose token ids, if it has some, are the model's. @throws ZagreusError INVALID_OPTION, BAD_TOKEN */
export function checkPrompt(prompt: Prompt, vocabulary: number): Prompt {
  return typeof prompt === "string" ? prompt : checkTokens(prompt, vocabulary, "prompt");
}

/** @throws ZagreusError INVALID_OPTION when it is no list, BAD_TOKEN for an id outside the vocabulary */
export function checkTokens(tokens: ArrayLike<number>, vocabulary: number, field = "tokens"): number[] {
  if (tokens === null || typeof tokens !== "object" || typeof tokens.length !== "number") {
    throw invalidOption(field, tokens, "a list of token ids");
  }
  return Array.from(tokens, (token, index) => {
    if (!Number.isInteger(token)) throw invalidOption(`${field}[${index}]`, token, "an integer");
    if (token < 0 || token >= vocabulary) throw failure("BAD_TOKEN", token, vocabulary, `${field}[${index}]`);
    return token;
  });
}

function seed(value: unknown, path: string): bigint {
  if (value === undefined) return BigInt(crypto.getRandomValues(new Uint32Array(1))[0]!);
  if (typeof value === "bigint" && value >= 0n && value <= U64_MAX) return value;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  throw invalidOption(path, value, `an integer from 0 to ${Number.MAX_SAFE_INTEGER} or a bigint below 2^64`);
}

/** True, false, or an object with these fields. */
function switchable<F extends Fields>(fields: F): Field<Output<F> | undefined> {
  return (value, path, limits) => {
    if (value === undefined || value === false) return undefined;
    return table(fields)(value === true ? {} : object(value, path, "true, false or an object"), limits, path);
  };
}

function overflow(...[value, path, limits]: Parameters<Field>): Overflow | undefined {
  if (value === undefined || value === "stop") return undefined;
  const max = limits.contextLength - 2; // so that half of the others is at least a token
  const { keep } = table({ keep: integer(0, max) })(object(value, path, '"stop" or { keep }'), limits, path);
  if (keep === undefined) throw invalidOption(`${path}.keep`, keep, `an integer from 0 to ${max}`);
  return { keep };
}

const responseFormats: Record<ResponseFormat["type"], Record<string, Field>> = {
  text: {},
  json_object: {},
  json_schema: {
    schema(value, path) {
      return typeof value === "boolean" ? value : object(value, path, "an object, true or false");
    },
  },
  grammar: {
    grammar(value, path) {
      if (typeof value === "string") return value;
      throw invalidOption(path, value, "a string");
    },
    trigger(value, path) {
      if (value === undefined || (typeof value === "string" && value && value.length <= MAX_TRIGGER)) return value;
      throw invalidOption(path, value, `a string of 1 to ${MAX_TRIGGER} characters`);
    },
    prefix: string,
  },
};

/** Its shape; what it says is read when the generation starts. */
function responseFormat(...[value, path, limits]: Parameters<Field>): ResponseFormat | undefined {
  if (value === undefined) return undefined;
  const { type } = object(value, path) as ResponseFormat;
  const oneOfThem = oneOf(...Object.keys(responseFormats));
  oneOfThem(type ?? null, `${path}.type`, limits);
  return table({ type: oneOfThem, ...responseFormats[type] })(value, limits, path) as ResponseFormat;
}

function stopStrings(value: unknown, path: string): string[] {
  if (value === undefined) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((stop, index) => {
    if (typeof stop === "string" && stop.length > 0) return stop;
    throw invalidOption(Array.isArray(value) ? `${path}[${index}]` : path, stop, "a string that is not empty");
  });
}

function logitBias(value: unknown, path: string, { vocabulary }: Limits): [token: number, bias: number][] {
  if (value === undefined) return [];
  const given = object(value, path, "an object or Map of token ids to numbers");
  const entries: [unknown, unknown][] = given instanceof Map ? [...given] : Object.entries(given);
  if (entries.length > MAX_LOGIT_BIAS) {
    throw invalidOption(path, entries.length, `a list of at most ${MAX_LOGIT_BIAS} tokens`);
  }
  return entries.map(([key, bias]) => {
    const token = typeof key === "string" && /^\d+$/.test(key) ? Number(key) : key;
    if (typeof token !== "number" || !Number.isInteger(token) || token < 0 || token >= vocabulary) {
      throw invalidOption(path, key, `keyed by token ids from 0 to ${vocabulary - 1}`);
    }
    if (typeof bias !== "number" || !(Math.abs(bias) <= 1e6 || bias === Number.NEGATIVE_INFINITY)) {
      throw invalidOption(`${path}[${token}]`, bias, "a number from -1000000 to 1000000, or -Infinity");
    }
    return [token, bias];
  });
}
