// The core's failures in plain words.

import { MAX_DIMENSION } from "../../../assembly/layout/gguf.js";
import * as status from "../../../assembly/layout/status.js";
import { type CoreErrorCode, type ErrorCode, ZagreusError } from "./errors.js";
import { BLOCK_TYPES, PLAIN_TYPES, tensorTypeName, valueTypeName } from "./names.js";

/** What the core recorded about its last failure. */
export interface Failure {
  field: string;
  value: number;
  expected: number;
}

const count = (n: number) => (Number.isInteger(n) ? n.toLocaleString("en-US") : String(n));

const either = (names: readonly string[]) => names.join(", ").replace(/, ([^,]*)$/, " or $1");

/** How a number can be written; `bytes` are the four of a file. */
const FORMATS: Record<string, (n: number) => string> = {
  count,
  bytes: (n) => JSON.stringify(String.fromCharCode(n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24)),
  last: (n) => count(n - 1),
  dimension: (n) => `${n === MAX_DIMENSION ? "must be 1 to" : "expected"} ${count(n)}`,
  tensorType: tensorTypeName,
  valueType: valueTypeName,
};

/** What stands in braces is filled in: {field}, or a number as {value} or {value:format}. host/wasi compiles these into C. */
export const MESSAGES: Record<CoreErrorCode | "BAD_OPTION", string> = {
  BAD_MAGIC: "not a GGUF file: it starts with {value:bytes}, must start with {expected:bytes}",
  UNSUPPORTED_VERSION: "GGUF version is {value}, must be 2 to {expected}",
  HEADER_TOO_LARGE: "the header needs {value} bytes, must be at most {expected}",
  BAD_COUNT: "{field} is {value}, must be at most {expected}",
  BAD_STRING_LENGTH: '"{field}": string of {value} bytes, must be 1 to {expected}',
  BAD_VALUE_TYPE: '"{field}": value type is {value:valueType}, must be {expected:valueType}',
  BAD_ARRAY_LENGTH: '"{field}": array of {value} elements, expected {expected}',
  BAD_ELEMENT_TYPE: '"{field}": array elements are {value:valueType}, must be {expected:valueType}',
  DUPLICATE_KEY: '"{field}" stands in the metadata twice',
  MISSING_KEY: '"{field}" is missing from the metadata',
  BAD_VALUE: '"{field}" is {value}; {expected} would do',
  BAD_ALIGNMENT: '"{field}" is {value}, must be a power of two',
  BAD_RANK: 'tensor "{field}": {value} dimensions, must be 1 to {expected}',
  BAD_DIMENSION: 'tensor "{field}": a dimension is {value}, {expected:dimension}',
  UNSUPPORTED_TENSOR_TYPE: `tensor "{field}": type is {value:tensorType}, must be ${either(PLAIN_TYPES)}, for a matrix also ${either(BLOCK_TYPES)}`,
  BAD_OFFSET: 'tensor "{field}": offset is {value}, expected {expected}',
  DUPLICATE_TENSOR: 'tensor "{field}" stands in the file twice',
  MISSING_TENSOR: 'tensor "{field}" is missing',
  UNEXPECTED_TENSOR: 'tensor "{field}" has no place in this architecture',
  UNSUPPORTED_ARCHITECTURE: 'general.architecture is "{field}", must be "llama"',
  UNSUPPORTED_ROPE_SCALING: 'RoPE scaling is "{field}", must be "none" or "linear"',
  UNSUPPORTED_TOKENIZER:
    'tokenizer is "{field}", must be "llama", or "gpt2" with a pre-tokenizer as "llama-bpe", "smollm" or "gpt-2"',
  BAD_VOCABULARY: 'vocabulary: "{field}" at index {value} is not usable',
  NON_FINITE_WEIGHT: 'tensor "{field}": a weight in row {value} is not finite',
  TRUNCATED: 'the file ends early: "{field}" has {value} bytes, needs at least {expected}',
  TRAILING_BYTES: '{value} bytes follow the last tensor "{field}", must be none',
  OVER_BUDGET: "needs {value} bytes, the memory budget is {expected}",
  OUT_OF_MEMORY: "needs {value} bytes of memory, which the engine refuses",
  WRONG_STATE: "the core was called in the wrong order ({field})",
  BAD_OPTION: 'option "{field}" is {value}, must be at most {expected}',
  BAD_TOKEN: "token id is {value}, must be 0 to {expected:last}",
  CONTEXT_OVERFLOW: "{value} tokens do not fit into the context of {expected} tokens",
  ACTIVATION_OVERFLOW: "the model does not compute: an activation reaches {value}, must stay below {expected}",
  PRETOKEN_TOO_LONG: "text has {value} bytes without a boundary, at most {expected} can be tokenized",
};

function fill(template: string, { field, value, expected }: Failure): string {
  const numbers = { value, expected };
  return template.replace(/\{(\w+)(?::(\w+))?\}/g, (_, name: string, format = "count") =>
    name === "field" ? field : FORMATS[format]!(numbers[name as keyof typeof numbers]),
  );
}

const CODES = new Map<number, string>(
  Object.entries(status).flatMap(([name, value]) =>
    value >= status.FIRST_ERROR && name !== "FIRST_ERROR" ? [[value, name] as const] : [],
  ),
);

/** The error for status `code` of the core. */
export function coreError(code: number, failure: Failure): ZagreusError {
  if (code === status.BAD_OPTION)
    return new ZagreusError("INVALID_OPTION", fill(MESSAGES.BAD_OPTION, failure), failure);
  const name = CODES.get(code) as CoreErrorCode | undefined;
  if (name === undefined) throw new RangeError(`the core returned an unknown status: ${code}`);
  return new ZagreusError(name, fill(MESSAGES[name], failure), failure);
}

/** The host's own report of a condition that the core also knows. */
export function failure(code: ErrorCode & CoreErrorCode, value: number, expected: number, field = ""): ZagreusError {
  const details = { field, value, expected };
  return new ZagreusError(code, fill(MESSAGES[code], details), details);
}
