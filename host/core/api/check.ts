// Checks of what callers pass. A field says what a value means, or throws; a table of fields is the names, checks, defaults and types
// of an object of options at once.

import { invalidOption, unknownOption } from "./errors.js";
import { isObject } from "./is_object.js";

/** What a model sets limits to. */
export interface Limits {
  /** Tokens. */
  vocabulary: number;
  /** Positions. */
  contextLength: number;
}

/** What a value means. @throws ZagreusError INVALID_OPTION naming `path`, the value, and what it must be */
export type Field<T = unknown> = (value: unknown, path: string, limits: Limits) => T;
export type Fields = Readonly<Record<string, Field>>;
export type Output<F extends Fields> = { [K in keyof F]: ReturnType<F[K]> };

/** The numbers that a field takes. */
export interface Range {
  min: number;
  /** VOCABULARY stands for the model's. */
  max: number;
  default: number | undefined;
  isInteger: boolean;
}
type NumberField<T> = Field<T> & { range: Range };

export const VOCABULARY = Number.POSITIVE_INFINITY;
const NO_LIMITS: Limits = { vocabulary: VOCABULARY, contextLength: VOCABULARY };

/** The meaning of an object with these fields and no others. */
export function table<F extends Fields>(fields: F) {
  const names = Object.keys(fields);
  return (options: unknown, limits = NO_LIMITS, prefix = ""): Output<F> => {
    const given = object(options, prefix || "options") as Record<string, unknown>;
    for (const [name, value] of Object.entries(given)) {
      if (value !== undefined && !names.includes(name)) throw unknownOption(name, value, names);
    }
    const entries = names.map((name) => [name, fields[name]!(given[name], path(prefix, name), limits)]);
    return Object.fromEntries(entries) as Output<F>;
  };
}

/** A table in a table; absent, or an object. */
export const nested = <F extends Fields>(fields: F): Field<Output<F> | undefined> => {
  const check = table(fields);
  return (value, path, limits) => (value === undefined ? undefined : check(value, limits, path));
};

/** A field whose value is `fallback` where none is given. */
export const withDefault =
  <T>(field: Field<T | undefined>, fallback: T): Field<T> =>
  (...given) =>
    field(...given) ?? fallback;

const path = (prefix: string, name: string) => (prefix ? `${prefix}.${name}` : name);

function ranged(range: Range): NumberField<number | undefined> {
  const check: Field<number | undefined> = (value, path, { vocabulary }) => {
    const { min, isInteger } = range;
    const max = range.max === VOCABULARY ? vocabulary : range.max;
    if (value === undefined) return range.default;
    if (typeof value === "number" && value >= min && value <= max && (!isInteger || Number.isInteger(value))) {
      return value;
    }
    throw invalidOption(
      path,
      value,
      min === max ? String(min) : `${isInteger ? "an integer" : "a number"} from ${min} to ${max}`,
    );
  };
  return Object.assign(check, { range });
}

/** An integer from `min` to `max`; absent, it is `fallback`. */
export function integer(min: number, max: number): NumberField<number | undefined>;
export function integer(min: number, max: number, fallback: number): NumberField<number>;
export function integer(min: number, max: number, fallback?: number) {
  return ranged({ min, max, default: fallback, isInteger: true });
}

/** A finite number from `min` to `max`; absent, it is `fallback`. */
export function number(min: number, max: number, fallback: number) {
  return ranged({ min, max, default: fallback, isInteger: false }) as NumberField<number>;
}

/** A value for which `is` holds, or none. */
export const optional =
  <T>(is: (value: unknown) => value is T, expected: string): Field<T | undefined> =>
  (value, path) => {
    if (value === undefined || is(value)) return value;
    throw invalidOption(path, value, expected);
  };

export const string = optional((value) => typeof value === "string", "a string");
export const flag = optional((value) => typeof value === "boolean", "true or false");
export const callback = <F>() => optional((value): value is F => typeof value === "function", "a function");
export const abortSignal = optional((value) => value instanceof AbortSignal, "an AbortSignal");
export const oneOf = <T extends string>(...choices: readonly T[]) =>
  optional(
    (value): value is T => choices.includes(value as T),
    choices.map((choice) => JSON.stringify(choice)).join(" or "),
  );

/** @throws ZagreusError INVALID_OPTION */
export function object(value: unknown, path: string, expected = "an object"): object {
  if (isObject(value)) return value;
  throw invalidOption(path, value, expected);
}

/** @throws ZagreusError INVALID_OPTION for what is no list, or a longer one */
export function list(value: unknown, path: string, max: number): readonly unknown[] {
  if (!Array.isArray(value)) throw invalidOption(path, value, "a list");
  if (value.length > max) throw invalidOption(path, value.length, `a list of at most ${max}`);
  return value;
}
