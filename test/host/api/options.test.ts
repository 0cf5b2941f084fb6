import { expect, test } from "vitest";
import type { GenerateOptions, LoadOptions } from "../../../host/core/api/api";
import { checkGenerateOptions, checkLoadOptions, checkTokens } from "../../../host/core/api/options";

const VOCABULARY = 100;

test("defaults", () => {
  const { seed, ...rest } = checkGenerateOptions({}, VOCABULARY);
  expect(seed).toBeTypeOf("bigint");
  expect(rest).toEqual({
    maxTokens: 256,
    temperature: 0.8,
    topK: 0,
    topP: 1,
    minP: 0,
    repetitionPenalty: 1,
    frequencyPenalty: 0,
    presencePenalty: 0,
    dry: undefined,
    noRepeatNgram: 0,
    logitBias: [],
    stop: [],
    logprobs: undefined,
    promptLookup: undefined,
    signal: undefined,
  });
});

test("undefined means absent", () => {
  expect(checkGenerateOptions({ temperature: undefined, stop: undefined }, VOCABULARY).temperature).toBe(0.8);
});

test("both forms of logitBias, stop and seed", () => {
  const bias = [[3, -1.5]];
  expect(checkGenerateOptions({ logitBias: { 3: -1.5 } }, VOCABULARY).logitBias).toEqual(bias);
  expect(checkGenerateOptions({ logitBias: new Map([[3, -1.5]]) }, VOCABULARY).logitBias).toEqual(bias);
  expect(checkGenerateOptions({ stop: "a" }, VOCABULARY).stop).toEqual(["a"]);
  expect(checkGenerateOptions({ stop: ["a", "b"] }, VOCABULARY).stop).toEqual(["a", "b"]);
  expect(checkGenerateOptions({ seed: 7 }, VOCABULARY).seed).toBe(7n);
  expect(checkGenerateOptions({ seed: 2n ** 64n - 1n }, VOCABULARY).seed).toBe(2n ** 64n - 1n);
});

const NUMBERS = [
  "maxTokens",
  "temperature",
  "topK",
  "topP",
  "minP",
  "repetitionPenalty",
  "noRepeatNgram",
  "seed",
  "logprobs",
];
test("forms of promptLookup", () => {
  const check = (promptLookup: GenerateOptions["promptLookup"]) =>
    checkGenerateOptions({ promptLookup }, VOCABULARY).promptLookup;
  expect(check(false)).toBe(undefined);
  expect(check(true)).toEqual({ ngram: 3, tokens: 7 });
  expect(check({ tokens: 3 })).toEqual({ ngram: 3, tokens: 3 });
});

test("forms of dry", () => {
  const defaults = {
    multiplier: 0.8,
    base: 1.75,
    allowedLength: 2,
    penaltyLastN: 64,
    sequenceBreakers: ["\n", ":", '"', "*"],
  };
  const check = (dry: GenerateOptions["dry"]) => checkGenerateOptions({ dry }, VOCABULARY).dry;
  expect(check(false)).toBe(undefined);
  expect(check(true)).toEqual(defaults);
  expect(check({ base: 2, sequenceBreakers: [] })).toEqual({ ...defaults, base: 2, sequenceBreakers: [] });
});

test.each(NUMBERS)("%s", (name) => {
  for (const value of [Number.NaN, -1, Number.POSITIVE_INFINITY, "1", null, {}, true]) {
    expect(() => checkGenerateOptions({ [name]: value } as GenerateOptions, VOCABULARY)).toThrow(
      expect.objectContaining({ code: "INVALID_OPTION", field: name }),
    );
  }
});

const WRONG: [options: object, field: string, message: string][] = [
  [{ temperature: -1 }, "temperature", 'option "temperature" is -1, must be a number from 0 to 100'],
  [{ topP: 1.1 }, "topP", 'option "topP" is 1.1, must be a number from 0 to 1'],
  [{ topK: 1.5 }, "topK", 'option "topK" is 1.5, must be an integer from 0 to 100'],
  [{ maxTokens: "7" }, "maxTokens", 'option "maxTokens" is "7", must be an integer from 0 to 1048576'],
  [{ repetitionPenalty: 0 }, "repetitionPenalty", 'option "repetitionPenalty" is 0, must be a number from 0.01 to 100'],
  [{ stop: "" }, "stop", 'option "stop" is "", must be a string that is not empty'],
  [{ stop: ["a", 3] }, "stop[1]", 'option "stop[1]" is 3, must be a string that is not empty'],
  [{ logitBias: [1] }, "logitBias", 'option "logitBias" is an array, must be an object or Map of token ids to numbers'],
  [{ logitBias: { 100: 1 } }, "logitBias", 'option "logitBias" is "100", must be keyed by token ids from 0 to 99'],
  [
    { logitBias: { 5: Number.NaN } },
    "logitBias[5]",
    'option "logitBias[5]" is NaN, must be a number from -1000000 to 1000000, or -Infinity',
  ],
  [{ promptLookup: 3 }, "promptLookup", 'option "promptLookup" is 3, must be true, false or an object'],
  [
    { promptLookup: { tokens: 8 } },
    "promptLookup.tokens",
    'option "promptLookup.tokens" is 8, must be an integer from 1 to 7',
  ],
  [{ overflow: 3 }, "overflow", 'option "overflow" is 3, must be "stop" or { keep }'],
  [{ overflow: {} }, "overflow.keep", 'option "overflow.keep" is undefined, must be an integer from 0 to 1048574'],
  [{ promptLookup: { ngrams: 2 } }, "ngrams", 'unknown option "ngrams", must be one of ngram, tokens'],
  [{ client: 1 }, "client", 'option "client" is 1, must be a string'],
  [{ cacheSalt: null }, "cacheSalt", 'option "cacheSalt" is null, must be a string'],
  [{ signal: {} }, "signal", 'option "signal" is an object, must be an AbortSignal'],
  [
    { temprature: 1 },
    "temprature",
    'unknown option "temprature", must be one of maxTokens, temperature, topK, topP, minP, repetitionPenalty, frequencyPenalty, presencePenalty, dry, noRepeatNgram, logitBias, seed, stop, loopStop, logprobs, promptLookup, responseFormat, overflow, adapters, receipt, onPrefill, client, cacheSalt, signal',
  ],
];
test.each(WRONG)("%j", (options, field, message) => {
  expect(() => checkGenerateOptions(options, VOCABULARY)).toThrow(
    expect.objectContaining({ code: "INVALID_OPTION", field, message }),
  );
});

test.each([
  [{ contextLength: 0 }, "contextLength"],
  [{ kvType: "int2" }, "kvType"],
  [{ memoryBudget: -1 }, "memoryBudget"],
  [{ cacheBudget: -1 }, "cacheBudget"],
  [{ build: "mt" }, "build"],
  [{ threads: 0 }, "threads"],
  [{ threads: 65 }, "threads"],
  [{ onProgress: 1 }, "onProgress"],
  [{ context: 5 }, "context"],
])("load: %j", (options, field) => {
  expect(() => checkLoadOptions(options as LoadOptions)).toThrow(
    expect.objectContaining({ code: "INVALID_OPTION", field }),
  );
});

test("token lists", () => {
  expect(checkTokens(Uint32Array.of(1, 99), VOCABULARY)).toEqual([1, 99]);
  expect(() => checkTokens([1, 100], VOCABULARY)).toThrow(
    expect.objectContaining({
      code: "BAD_TOKEN",
      field: "tokens[1]",
      value: 100,
      message: "token id is 100, must be 0 to 99",
    }),
  );
  expect(() => checkTokens([0.5], VOCABULARY)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  expect(() => checkTokens(7 as never, VOCABULARY)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
});
