// The core's failures in plain words.

import { MAX_DIMENSION } from "../../assembly/layout/gguf.js";
import * as status from "../../assembly/layout/status.js";
import { type CoreErrorCode, type ErrorCode, ZagreusError } from "./errors.js";
import { tensorTypeName, valueTypeName } from "./names.js";

/** What the core recorded about its last failure. */
export interface Failure {
  field: string;
  value: number;
  expected: number;
}

const count = (n: number) => (Number.isInteger(n) ? n.toLocaleString("en-US") : String(n));
const hex = (n: number) => `0x${n.toString(16).padStart(8, "0")}`;

const MESSAGES: Record<CoreErrorCode, (failure: Failure) => string> = {
  BAD_MAGIC: ({ value, expected }) => `not a GGUF file: it starts with ${hex(value)}, must start with ${hex(expected)}`,
  UNSUPPORTED_VERSION: ({ value, expected }) => `GGUF version is ${value}, must be 2 to ${expected}`,
  HEADER_TOO_LARGE: ({ value, expected }) =>
    `the header needs ${count(value)} bytes, must be at most ${count(expected)}`,
  BAD_COUNT: ({ field, value, expected }) => `${field} is ${count(value)}, must be at most ${count(expected)}`,
  BAD_STRING_LENGTH: ({ field, value, expected }) =>
    `"${field}": string of ${count(value)} bytes, must be 1 to ${count(expected)}`,
  BAD_VALUE_TYPE: ({ field, value, expected }) =>
    `"${field}": value type is ${valueTypeName(value)}, must be ${valueTypeName(expected)}`,
  BAD_ARRAY_LENGTH: ({ field, value, expected }) =>
    `"${field}": array of ${count(value)} elements, expected ${count(expected)}`,
  BAD_ELEMENT_TYPE: ({ field, value, expected }) =>
    `"${field}": array elements are ${valueTypeName(value)}, must be ${valueTypeName(expected)}`,
  DUPLICATE_KEY: ({ field }) => `"${field}" stands in the metadata twice`,
  MISSING_KEY: ({ field }) => `"${field}" is missing from the metadata`,
  BAD_VALUE: ({ field, value, expected }) => `"${field}" is ${count(value)}; ${count(expected)} would do`,
  BAD_ALIGNMENT: ({ field, value }) => `"${field}" is ${count(value)}, must be a power of two`,
  BAD_RANK: ({ field, value, expected }) => `tensor "${field}": ${count(value)} dimensions, must be 1 to ${expected}`,
  BAD_DIMENSION: ({ field, value, expected }) => {
    const wanted = expected === MAX_DIMENSION ? "must be 1 to" : "expected";
    return `tensor "${field}": a dimension is ${count(value)}, ${wanted} ${count(expected)}`;
  },
  UNSUPPORTED_TENSOR_TYPE: ({ field, value }) =>
    `tensor "${field}": type is ${tensorTypeName(value)}, must be F32, F16, BF16, Q8_0 or Q4_0`,
  BAD_OFFSET: ({ field, value, expected }) =>
    `tensor "${field}": offset is ${count(value)}, expected ${count(expected)}`,
  DUPLICATE_TENSOR: ({ field }) => `tensor "${field}" stands in the file twice`,
  MISSING_TENSOR: ({ field }) => `tensor "${field}" is missing`,
  UNEXPECTED_TENSOR: ({ field }) => `tensor "${field}" has no place in this architecture`,
  UNSUPPORTED_ARCHITECTURE: ({ field }) => `general.architecture is "${field}", must be "llama"`,
  UNSUPPORTED_ROPE_SCALING: ({ field }) => `RoPE scaling is "${field}", must be "none" or "linear"`,
  UNSUPPORTED_TOKENIZER: ({ field }) => `tokenizer is "${field}", must be "gpt2" with the pre-tokenizer "llama-bpe"`,
  BAD_VOCABULARY: ({ field, value }) => `vocabulary: "${field}" at index ${count(value)} is not usable`,
  NON_FINITE_WEIGHT: ({ field, value }) => `tensor "${field}": a weight in row ${count(value)} is not finite`,
  TRUNCATED: ({ field, value, expected }) =>
    `the file ends early: "${field}" has ${count(value)} bytes, needs at least ${count(expected)}`,
  TRAILING_BYTES: ({ field, value }) => `${count(value)} bytes follow the last tensor "${field}", must be none`,
  OVER_BUDGET: ({ value, expected }) => `needs ${count(value)} bytes, the memory budget is ${count(expected)}`,
  OUT_OF_MEMORY: ({ value }) => `needs ${count(value)} bytes of memory, which the engine refuses`,
  WRONG_STATE: ({ field }) => `the core was called in the wrong order${field ? ` (${field})` : ""}`,
  BAD_TOKEN: ({ value, expected }) => `token id is ${count(value)}, must be 0 to ${count(expected - 1)}`,
  CONTEXT_OVERFLOW: ({ value, expected }) =>
    `${count(value)} tokens do not fit into the context of ${count(expected)} tokens`,
  PRETOKEN_TOO_LONG: ({ value, expected }) =>
    `text has ${count(value)} bytes without a boundary, at most ${count(expected)} can be tokenized`,
};

const CODES = new Map<number, string>(
  Object.entries(status).flatMap(([name, value]) =>
    value >= status.FIRST_ERROR && name !== "FIRST_ERROR" ? [[value, name] as const] : [],
  ),
);

/** The error for status `code` of the core. */
export function coreError(code: number, failure: Failure): ZagreusError {
  const { field, value, expected } = failure;
  if (code === status.BAD_OPTION) {
    const message = `option "${field}" is ${count(value)}, must be at most ${count(expected)}`;
    return new ZagreusError("INVALID_OPTION", message, failure);
  }
  const name = CODES.get(code) as CoreErrorCode | undefined;
  if (name === undefined) throw new RangeError(`the core returned an unknown status: ${code}`);
  return new ZagreusError(name, MESSAGES[name]({ field, value, expected }), failure);
}

/** The host's own report of a condition that the core also knows. */
export function failure(code: ErrorCode & CoreErrorCode, value: number, expected: number, field = ""): ZagreusError {
  const details = { field, value, expected };
  return new ZagreusError(code, MESSAGES[code](details), details);
}
