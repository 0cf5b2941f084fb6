// BAD_SCHEMA, and the limits.

import { ZagreusError } from "../../../api/errors.js";
import type { Steps } from "../../shared/slices.js";

/** Levels of a schema, and of schemas in schemas once references are followed. */
export const MAX_DEPTH = 64;
/** Values in a schema, and schemas in it once references are followed. */
export const MAX_VALUES = 20_000;
/** Characters of all its strings. */
export const MAX_TEXT = 2 ** 19;
/** Characters of the grammar that it becomes. */
export const MAX_RULE_TEXT = 2 ** 20;

export function badSchema(path: string, what: string, value?: unknown): ZagreusError {
  return new ZagreusError("BAD_SCHEMA", `schema ${path || "#"}: ${what}`, { field: path || "#", value });
}

/** Refuses what is no JSON, or too deep or too large (also because it contains itself), before anything recurses. */
export function checkSize(schema: unknown): void {
  const open: { value: unknown; depth: number }[] = [{ value: schema, depth: 0 }];
  let values = 0;
  let text = 0;
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, depth } = next;
    if (++values > MAX_VALUES) throw badSchema("#", `more than ${MAX_VALUES} values`, values);
    if (depth > MAX_DEPTH) throw badSchema("#", `nests deeper than ${MAX_DEPTH}`, depth);
    if (typeof value === "string") text += value.length;
    else if (value !== null && typeof value === "object") {
      for (const [key, inner] of Object.entries(value)) {
        text += key.length;
        if (inner !== undefined) open.push({ value: inner, depth: depth + 1 });
        if (open.length > MAX_VALUES) throw badSchema("#", `more than ${MAX_VALUES} values`, open.length);
      }
    } else if (typeof value !== "number" && typeof value !== "boolean" && value !== null) {
      throw badSchema("#", `has a ${typeof value}, which is no JSON`, String(value));
    }
    if (text > MAX_TEXT) throw badSchema("#", `more than ${MAX_TEXT} characters`, text);
  }
}

/** What is wrong with the grammar that a schema becomes, is wrong with the schema. */
export function* asSchema<T>(steps: Steps<T>): Steps<T> {
  try {
    return yield* steps;
  } catch (error) {
    if (!(error instanceof ZagreusError) || error.code !== "BAD_GRAMMAR") throw error;
    if (error.value === "root") throw badSchema("#", "nothing is valid");
    throw new ZagreusError("BAD_SCHEMA", `schema as a ${error.message}`, {
      field: "#",
      value: error.value,
      cause: error,
    });
  }
}
