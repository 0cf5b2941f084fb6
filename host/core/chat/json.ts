// Plain data from outside: copied, checked and measured.

import { invalidOption } from "../api/errors.js";
import type { Json } from "./types.js";

const MAX_DEPTH = 64;
/** Characters and values of all that goes into one prompt: several times the longest context. */
const MAX_SIZE = 4 * 2 ** 20;

/** Copies what goes into a template, and counts it. */
export class InputCopier {
  #size = 0;

  /** @throws ZagreusError INVALID_OPTION naming `path` */
  text(value: unknown, path: string): string {
    if (typeof value !== "string") throw invalidOption(path, value, "a string");
    this.#count(value.length, path);
    return value;
  }

  /** A copy without anything inherited. @throws ZagreusError INVALID_OPTION naming the path of what is no plain data */
  plain(value: unknown, path: string, depth = 0): Json {
    if (depth > MAX_DEPTH) throw invalidOption(path, value, `nested at most ${MAX_DEPTH} deep`);
    this.#count(1, path);
    if (value === null || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value)))
      return value;
    if (typeof value === "string") return this.text(value, path);
    if (Array.isArray(value)) return value.map((item, i) => this.plain(item, `${path}[${i}]`, depth + 1));
    if (typeof value === "object") {
      const entries = Object.entries(value).filter(([, item]) => item !== undefined);
      return Object.fromEntries(
        entries.map(([key, item]) => [this.text(key, path), this.plain(item, `${path}.${key}`, depth + 1)]),
      );
    }
    throw invalidOption(path, value, "JSON: objects, arrays, strings, finite numbers, booleans or null");
  }

  #count(amount: number, path: string): void {
    this.#size += amount;
    if (this.#size <= MAX_SIZE) return;
    throw invalidOption(path, this.#size, `part of a conversation of at most ${MAX_SIZE} characters`);
  }
}

/** A copy with all strings and keys changed. */
export function mapText(value: Json, change: (text: string) => string): Json {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => mapText(item, change));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [change(key), mapText(item, change)]));
}

/** As Python's json.dumps() and so templates write it: ", " and ": " between values. */
export function toJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(toJson).join(", ")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}: ${toJson(item)}`)
    .join(", ")}}`;
}
