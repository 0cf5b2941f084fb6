// Checks what callers pass in, before anything runs.

import { LOGIT_ROWS, MAX_LOGIT_BIAS, MAX_THREADS, MAX_TOP } from "../../../assembly/layout/abi.js";
import { MAX_CONTEXT } from "../../../assembly/layout/gguf.js";
import type {
  Build,
  DetokenizeOptions,
  EmbedOptions,
  GenerateOptions,
  LoadOptions,
  LogitsOptions,
  LogprobsOptions,
  Prompt,
  ResponseFormat,
  TokenizeOptions,
} from "./api.js";
import { invalidOption, unknownOption } from "./errors.js";
import { failure } from "./messages.js";

const U64_MAX = 0xffffffffffffffffn;
const MAX_LOOKUP_NGRAM = 8;
const MAX_TRIGGER = 256;
/** Default of LoadOptions.cacheBudget. */
export const CACHE_BUDGET = 64 * 2 ** 20;

export const BUILDS: readonly Build[] = ["simd", "relaxed", "simd-mt", "relaxed-mt"];

/** `overflow` of GenerateOptions, as far as it says more than "stop". */
export interface Overflow {
  /** Tokens at the beginning that stay. */
  keep: number;
}

/** `promptLookup` of GenerateOptions, with defaults filled in. */
export interface Lookup {
  ngram: number;
  tokens: number;
}

/** Least and most of a number, and its default. A most of Infinity stands for the vocabulary. */
type Range = readonly [least: number, most: number, usual: number];

export const INTEGERS = {
  maxTokens: [0, MAX_CONTEXT, 256],
  topK: [0, Number.POSITIVE_INFINITY, 0],
  noRepeatNgram: [0, MAX_CONTEXT, 0],
} satisfies Record<string, Range>;

export const NUMBERS = {
  temperature: [0, 100, 0.8],
  topP: [0, 1, 1],
  minP: [0, 1, 0],
  repetitionPenalty: [0.01, 100, 1.1],
} satisfies Record<string, Range>;

/** Generation options with every default filled in. */
export interface Generation {
  maxTokens: number;
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  repetitionPenalty: number;
  noRepeatNgram: number;
  logitBias: readonly (readonly [token: number, bias: number])[];
  seed: bigint;
  stop: readonly string[];
  logprobs: number | undefined;
  promptLookup: Lookup | undefined;
  responseFormat: ResponseFormat | undefined;
  overflow: Overflow | undefined;
  onPrefill: GenerateOptions["onPrefill"];
  signal: AbortSignal | undefined;
}

/** The same for logprobs(). */
export interface Scoring {
  top: number;
  from: number;
  signal: AbortSignal | undefined;
}

/** @throws ZagreusError INVALID_OPTION naming the option, its value and what it must be */
export function checkGenerateOptions(
  options: GenerateOptions,
  vocabulary: number,
  contextLength = MAX_CONTEXT,
): Generation {
  checkNames(options, [
    "maxTokens",
    "temperature",
    "topK",
    "topP",
    "minP",
    "repetitionPenalty",
    "noRepeatNgram",
    "logitBias",
    "seed",
    "stop",
    "logprobs",
    "promptLookup",
    "responseFormat",
    "overflow",
    "onPrefill",
    "signal",
  ]);
  const whole = (name: keyof typeof INTEGERS) => {
    const [least, most, usual] = INTEGERS[name];
    return integer(name, options[name], least, most === Number.POSITIVE_INFINITY ? vocabulary : most) ?? usual;
  };
  const real = (name: keyof typeof NUMBERS) => {
    const [least, most, usual] = NUMBERS[name];
    return number(name, options[name], least, most) ?? usual;
  };
  return {
    maxTokens: whole("maxTokens"),
    temperature: real("temperature"),
    topK: whole("topK"),
    topP: real("topP"),
    minP: real("minP"),
    repetitionPenalty: real("repetitionPenalty"),
    noRepeatNgram: whole("noRepeatNgram"),
    logitBias: logitBias(options.logitBias, vocabulary),
    seed: seed(options.seed),
    stop: stopStrings(options.stop),
    logprobs: integer("logprobs", options.logprobs, 0, Math.min(MAX_TOP, vocabulary)),
    promptLookup: promptLookup(options.promptLookup),
    responseFormat: responseFormat(options.responseFormat),
    overflow: overflow(options.overflow, contextLength),
    onPrefill: callback("onPrefill", options.onPrefill),
    signal: abortSignal(options.signal),
  };
}

/** @throws ZagreusError INVALID_OPTION */
export function checkLoadOptions(options: LoadOptions): LoadOptions {
  checkNames(options, [
    "contextLength",
    "kvType",
    "memoryBudget",
    "build",
    "threads",
    "cacheBudget",
    "quantize",
    "signal",
    "onProgress",
  ]);
  integer("contextLength", options.contextLength, 1, MAX_CONTEXT);
  oneOf("kvType", options.kvType, ["int8", "f32"]);
  integer("memoryBudget", options.memoryBudget, 1, Number.MAX_SAFE_INTEGER);
  oneOf("build", options.build, BUILDS);
  integer("threads", options.threads, 1, MAX_THREADS);
  integer("cacheBudget", options.cacheBudget, 0, Number.MAX_SAFE_INTEGER);
  quantize(options.quantize);
  abortSignal(options.signal);
  callback("onProgress", options.onProgress);
  return options;
}

function quantize(value: LoadOptions["quantize"]): void {
  if (value === undefined) return;
  checkNames(value, ["type", "calibrate", "keepSource"]);
  oneOf("quantize.type", value.type, ["q4_0", "q8_0"]);
  flag("quantize.calibrate", value.calibrate);
  flag("quantize.keepSource", value.keepSource);
}

/** Takes `offload` out of the options. @throws ZagreusError INVALID_OPTION */
export function splitOffload<T extends { offload?: boolean | undefined }>(options: T) {
  if (options === null || typeof options !== "object") throw invalidOption("options", options, "an object");
  const { offload, ...rest } = options;
  flag("offload", offload);
  return { offload, rest };
}

export function checkTokenizeOptions(options: TokenizeOptions): TokenizeOptions {
  checkNames(options, ["special", "bos"]);
  flag("special", options.special);
  flag("bos", options.bos);
  return options;
}

export function checkDetokenizeOptions(options: DetokenizeOptions): DetokenizeOptions {
  checkNames(options, ["special"]);
  flag("special", options.special);
  return options;
}

export function checkLogprobsOptions(options: LogprobsOptions, vocabulary: number): Scoring {
  checkNames(options, ["top", "from", "signal"]);
  return {
    top: integer("top", options.top, 0, Math.min(MAX_TOP, vocabulary)) ?? 0,
    from: integer("from", options.from, 0, MAX_CONTEXT) ?? 0,
    signal: abortSignal(options.signal),
  };
}

export function checkLogitsOptions(options: LogitsOptions): LogitsOptions {
  checkNames(options, ["all", "signal"]);
  flag("all", options.all);
  abortSignal(options.signal);
  return options;
}

export function checkEmbedOptions(options: EmbedOptions): EmbedOptions {
  checkNames(options, ["signal"]);
  abortSignal(options.signal);
  return options;
}

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

function checkNames(options: object, known: readonly string[]): void {
  if (options === null || typeof options !== "object") throw invalidOption("options", options, "an object");
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && !known.includes(name)) throw unknownOption(name, value, known);
  }
}

function number(name: string, value: unknown, least: number, most: number): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && value >= least && value <= most) return value;
  throw invalidOption(name, value, `a number from ${least} to ${most}`);
}

function integer(name: string, value: unknown, least: number, most: number): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw invalidOption(name, value, least === most ? String(least) : `an integer from ${least} to ${most}`);
}

function flag(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== "boolean") throw invalidOption(name, value, "true or false");
}

function oneOf(name: string, value: unknown, choices: readonly string[]): void {
  if (value === undefined || choices.includes(value as string)) return;
  throw invalidOption(name, value, choices.map((choice) => JSON.stringify(choice)).join(" or "));
}

function abortSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined || value instanceof AbortSignal) return value;
  throw invalidOption("signal", value, "an AbortSignal");
}

function callback<T>(name: string, value: T): T {
  if (value === undefined || typeof value === "function") return value;
  throw invalidOption(name, value, "a function");
}

function seed(value: unknown): bigint {
  if (value === undefined) return BigInt(crypto.getRandomValues(new Uint32Array(1))[0]!);
  if (typeof value === "bigint" && value >= 0n && value <= U64_MAX) return value;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  throw invalidOption("seed", value, `an integer from 0 to ${Number.MAX_SAFE_INTEGER} or a bigint below 2^64`);
}

function promptLookup(value: GenerateOptions["promptLookup"]): Lookup | undefined {
  if (value === undefined || value === false) return undefined;
  const options = value === true ? {} : value;
  if (options === null || typeof options !== "object") {
    throw invalidOption("promptLookup", value, "true, false or an object");
  }
  checkNames(options, ["ngram", "tokens"]);
  return {
    ngram: integer("promptLookup.ngram", options.ngram, 1, MAX_LOOKUP_NGRAM) ?? 3,
    tokens: integer("promptLookup.tokens", options.tokens, 1, LOGIT_ROWS - 1) ?? LOGIT_ROWS - 1,
  };
}

function overflow(value: GenerateOptions["overflow"], contextLength: number): Overflow | undefined {
  if (value === undefined || value === "stop") return undefined;
  if (value === null || typeof value !== "object") throw invalidOption("overflow", value, '"stop" or { keep }');
  checkNames(value, ["keep"]);
  const most = contextLength - 2; // so that half of the others is at least a token
  const keep = integer("overflow.keep", value.keep, 0, most);
  if (keep === undefined) throw invalidOption("overflow.keep", keep, `an integer from 0 to ${most}`);
  return { keep };
}

/** Its shape; what it says is read when the generation starts. */
function responseFormat(value: unknown): ResponseFormat | undefined {
  if (value === undefined) return undefined;
  const format = value as ResponseFormat;
  if (format === null || typeof format !== "object") throw invalidOption("responseFormat", value, "an object");
  const { type } = format;
  oneOf("responseFormat.type", type ?? null, ["text", "json_object", "json_schema", "grammar"]);
  if (type === "json_schema") {
    checkNames(format, ["type", "schema"]);
    const { schema } = format;
    if (typeof schema === "boolean" || (typeof schema === "object" && schema !== null)) return format;
    throw invalidOption("responseFormat.schema", schema, "an object, true or false");
  }
  if (type !== "grammar") {
    checkNames(format, ["type"]);
    return format;
  }
  checkNames(format, ["type", "grammar", "trigger"]);
  const { grammar, trigger } = format;
  if (typeof grammar !== "string") throw invalidOption("responseFormat.grammar", grammar, "a string");
  if (trigger === undefined || (typeof trigger === "string" && trigger && trigger.length <= MAX_TRIGGER)) return format;
  throw invalidOption("responseFormat.trigger", trigger, `a string of 1 to ${MAX_TRIGGER} characters`);
}

function stopStrings(value: unknown): string[] {
  if (value === undefined) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((stop, index) => {
    if (typeof stop === "string" && stop.length > 0) return stop;
    throw invalidOption(Array.isArray(value) ? `stop[${index}]` : "stop", stop, "a string that is not empty");
  });
}

function logitBias(value: GenerateOptions["logitBias"], vocabulary: number): [number, number][] {
  if (value === undefined) return [];
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw invalidOption("logitBias", value, "an object or Map of token ids to numbers");
  }
  const entries: [unknown, unknown][] = value instanceof Map ? [...value] : Object.entries(value);
  if (entries.length > MAX_LOGIT_BIAS) {
    throw invalidOption("logitBias", entries.length, `a list of at most ${MAX_LOGIT_BIAS} tokens`);
  }
  return entries.map(([key, bias]) => {
    const token = typeof key === "string" && /^\d+$/.test(key) ? Number(key) : key;
    if (typeof token !== "number" || !Number.isInteger(token) || token < 0 || token >= vocabulary) {
      throw invalidOption("logitBias", key, `keyed by token ids from 0 to ${vocabulary - 1}`);
    }
    if (typeof bias !== "number" || !(Math.abs(bias) <= 1e6 || bias === Number.NEGATIVE_INFINITY)) {
      throw invalidOption(`logitBias[${token}]`, bias, "a number from -1000000 to 1000000, or -Infinity");
    }
    return [token, bias];
  });
}
