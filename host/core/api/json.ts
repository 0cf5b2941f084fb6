// JSON of others, and its fields, checked as they are read.

import { ZagreusError } from "./errors.js";
import { isObject } from "./is_object.js";

export { isObject };

/** @throws ZagreusError BAD_JSON when the bytes are not UTF-8 */
export function decode(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ZagreusError("BAD_JSON", `${name} is not UTF-8 text`, { field: name, cause });
  }
}

/** Arrays and objects within each other: JSON.parse() takes any number, but those who walk over its result recurse. */
const MAX_DEPTH = 100;

/** Of longer strings V8 hashes only the length, so that an object of such keys takes quadratic time. */
const MAX_KEY = 16_383;
/** Characters from which on that would be felt. */
const MANY = 2 ** 20;

/** JSON.parse() that takes the byte order mark which editors on Windows write. @throws SyntaxError also for what is nested too deep, and for long keys in long texts */
export function parseJson(json: string): unknown {
  if (json.length > MANY && hasLongKey(json)) throw new SyntaxError(`it has a key of more than ${MAX_KEY} characters`);
  const value: unknown = JSON.parse(json.startsWith("\uFEFF") ? json.slice(1) : json);
  if (isDeeper(value, MAX_DEPTH)) throw new SyntaxError(`it is nested more than ${MAX_DEPTH} deep`);
  return value;
}

/** Whether a string that a colon follows is longer than MAX_KEY. Looks at quotes and backslashes only. */
function hasLongKey(json: string): boolean {
  for (let start = json.indexOf('"'); start >= 0; ) {
    let end = json.indexOf('"', start + 1);
    while (end >= 0 && isEscaped(json, end)) end = json.indexOf('"', end + 1);
    if (end < 0) return false;
    if (end - start > MAX_KEY && /\s*:/y.test(json.slice(end + 1, end + 100))) return true;
    start = json.indexOf('"', end + 1);
  }
  return false;
}

/** Whether an odd number of backslashes stands before a place. */
function isEscaped(json: string, at: number): boolean {
  let first = at;
  while (json[first - 1] === "\\") first--;
  return (at - first) % 2 === 1;
}

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth === 0 || Object.values(value).some((item) => isDeeper(item, depth - 1));
}

/** @throws ZagreusError BAD_JSON when the text is not JSON, or not an object */
export function parseObject(json: string, name: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJson(json);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ZagreusError("BAD_JSON", `${name} is not JSON: ${reason}`, { field: name, cause });
  }
  if (!isObject(value)) throw new ZagreusError("BAD_JSON", `${name} is not a JSON object`, { field: name });
  return value;
}

/** BAD_VALUE for a field that is `value` and must be `expected` (a phrase that follows "must be"). */
export function badValue(file: string, field: string, value: unknown, expected: unknown): ZagreusError {
  const shown = JSON.stringify(value) ?? String(value);
  const short = shown.length > 60 ? `${shown.slice(0, 60)}…` : shown;
  return new ZagreusError("BAD_VALUE", `${file}: "${field}" is ${short}, must be ${expected}`, {
    field,
    value,
    expected,
  });
}

/** An object of a file. Fields that are null count as absent, as the makers of these files mean it. */
export class Fields {
  /** @param prefix stands before the names of nested fields */
  constructor(
    readonly file: string,
    readonly values: Record<string, unknown>,
    private readonly prefix = "",
  ) {}

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** An integer of `least` to `most`. @throws ZagreusError MISSING_KEY, when `absent` is not given; BAD_VALUE */
  integer(key: string, min: number, max: number, absent?: number): number {
    const value = this.get(key) ?? absent ?? this.missing(key);
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
      throw this.bad(key, value, `an integer of ${min} to ${max}`);
    }
    return value as number;
  }

  /** A finite number above 0. @throws as integer() */
  positive(key: string, absent?: number): number {
    const value = this.get(key) ?? absent ?? this.missing(key);
    if (typeof value !== "number" || !Number.isFinite(value) || value <= 0)
      throw this.bad(key, value, "a number above 0");
    return value;
  }

  /** @throws as integer() */
  boolean(key: string, absent?: boolean): boolean {
    const value = this.get(key) ?? absent ?? this.missing(key);
    if (typeof value !== "boolean") throw this.bad(key, value, "true or false");
    return value;
  }

  /** @throws as integer() */
  text(key: string, absent?: string): string {
    const value = this.get(key) ?? absent ?? this.missing(key);
    if (typeof value !== "string") throw this.bad(key, value, "a string");
    return value;
  }

  /** An object within. @throws ZagreusError MISSING_KEY, BAD_VALUE */
  object(key: string): Fields {
    const value = this.get(key) ?? this.missing(key);
    if (!isObject(value)) throw this.bad(key, value, "an object");
    return new Fields(this.file, value, `${this.prefix}${key}.`);
  }

  /** @throws ZagreusError MISSING_KEY, BAD_VALUE */
  array(key: string): unknown[] {
    const value = this.get(key) ?? this.missing(key);
    if (!Array.isArray(value)) throw this.bad(key, value, "an array");
    return value;
  }

  /** The value of a field, undefined when it is absent. */
  get(key: string): unknown {
    return Object.hasOwn(this.values, key) ? (this.values[key] ?? undefined) : undefined;
  }

  bad(key: string, value: unknown, expected: unknown): ZagreusError {
    return badValue(this.file, this.prefix + key, value, expected);
  }

  private missing(key: string): never {
    const field = this.prefix + key;
    throw new ZagreusError("MISSING_KEY", `${this.file}: "${field}" is missing`, { field });
  }
}
