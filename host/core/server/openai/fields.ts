// What fields of requests may be.

import * as z from "zod";
import type { JsonSchema } from "../../api/api.js";
import { type ApiError, badRequest } from "../http/errors.js";

z.config({ jitless: true }); // Workers compile no strings

/** Characters of a schema, a grammar, or all tools together: what masks are made of takes time and memory by its size. */
export const MAX_STRUCTURE = 65_536;

/** Null is as good as nothing. */
export const optional = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);

/** The count is checked first: a complaint about every item of a long list would take more memory than the list. */
export const list = <T extends z.ZodType>(item: T, max: number, min = 0) =>
  z.array(z.unknown()).min(min).max(max).pipe(z.array(item));

export const isShort = (value: unknown) => JSON.stringify(value).length <= MAX_STRUCTURE;
export const TOO_LONG = `has more than ${MAX_STRUCTURE} characters as JSON`;

/** A field that may only have values that change nothing. */
export const refused = (message: string, ...harmless: unknown[]) =>
  z
    .unknown()
    .refine((value) => value == null || harmless.includes(value), message)
    .optional();

export const schema = z
  .custom<JsonSchema>(
    (value) => typeof value === "boolean" || (typeof value === "object" && value !== null && !Array.isArray(value)),
    "must be a JSON Schema",
  )
  .refine(isShort, TOO_LONG);

/** @param path of the value in the body. @throws ApiError 400 naming the first field that is wrong */
export function parse<T>(type: z.ZodType<T>, value: unknown, path = ""): T {
  const { data, error } = type.safeParse(value);
  if (error) throw complaint(error.issues[0]!, path);
  return data as T;
}

function complaint(issue: z.core.$ZodIssue, within: string): ApiError {
  const path = issue.path.reduce<string>(
    (before, key) => (typeof key === "number" ? `${before}[${key}]` : `${before}${before && "."}${String(key)}`),
    within,
  );
  return badRequest(path ? `${path}: ${issue.message}` : `the body: ${issue.message}`, path || null);
}
