// Values of keywords, which must be what their keyword wants.

import { badSchema } from "./errors.js";
import { isObject, type JsonObject, own } from "./types.js";

export function count(schema: JsonObject, keyword: string, path: string): number | undefined {
  const value = own(schema, keyword);
  if (value === undefined || (typeof value === "number" && Number.isInteger(value) && value >= 0)) return value;
  throw badSchema(`${path}/${keyword}`, "must be an integer that is not negative", value);
}

export function number(schema: JsonObject, keyword: string, path: string): number | undefined {
  const value = own(schema, keyword);
  if (value === undefined || (typeof value === "number" && Number.isFinite(value))) return value;
  throw badSchema(`${path}/${keyword}`, "must be a number", value);
}

export function text(schema: JsonObject, keyword: string, path: string): string | undefined {
  const value = own(schema, keyword);
  if (value === undefined || typeof value === "string") return value;
  throw badSchema(`${path}/${keyword}`, "must be a string", value);
}

export function list(schema: JsonObject, keyword: string, path: string): readonly unknown[] | undefined {
  const value = own(schema, keyword);
  if (value === undefined || Array.isArray(value)) return value;
  throw badSchema(`${path}/${keyword}`, "must be an array", value);
}

export function strings(schema: JsonObject, keyword: string, path: string): readonly string[] {
  const value = list(schema, keyword, path) ?? [];
  if (value.every((item) => typeof item === "string")) return value;
  throw badSchema(`${path}/${keyword}`, "must be an array of strings", value);
}

export function members(schema: JsonObject, keyword: string, path: string): JsonObject {
  const value = own(schema, keyword) ?? {};
  if (isObject(value)) return value;
  throw badSchema(`${path}/${keyword}`, "must be an object", value);
}
