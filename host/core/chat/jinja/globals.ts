// The functions that transformers gives to templates.

import { type Runtime, TemplateError, unsupported } from "./python/runtime.js";
import { bind } from "./python/signature.js";
import { strftime } from "./python/strftime.js";
import {
  Callable,
  Dict,
  type NamedArguments,
  Namespace,
  needInteger,
  needText,
  PyObject,
  PyRange,
  pairsOf,
  type Value,
} from "./python/values.js";
import { str } from "./python/write.js";

/** Jinja's sandbox allows no longer range. */
const MAX_RANGE = 100_000;

/** What the template itself says is wrong with the conversation, by raise_exception(). */
export class Refusal extends Error {}

/** joiner(): nothing at first, then the separator. */
export class Joiner extends PyObject {
  readonly type = "Joiner";
  readonly separator: Value;
  used = false;

  constructor(separator: Value) {
    super();
    this.separator = separator;
  }
}

/** cycler(): one value after the other. */
export class Cycler extends PyObject {
  readonly type = "Cycler";
  readonly items: readonly Value[];
  position = 0;

  constructor(items: readonly Value[]) {
    super();
    this.items = items;
  }

  /** Its attributes, all of them. */
  attribute(name: string): Value | undefined {
    const next = () => {
      const value = this.items[this.position]!;
      this.position = (this.position + 1) % this.items.length;
      return value;
    };
    const reset = () => {
      this.position = 0;
      return null;
    };
    if (name === "current") return this.items[this.position]!;
    if (name === "next") return new Callable(name, next);
    return name === "reset" ? new Callable(name, reset) : undefined;
  }
}

/** By name. */
export function globals(runtime: Runtime): Map<string, Value> {
  const functions: Record<string, Callable["call"]> = {
    cycler: (args) => cycler(args),
    dict: (args, named) => dict(args, named, runtime),
    joiner: (args, named) => new Joiner(bind("joiner", "sep?", args, named)[0] ?? ", "),
    lipsum: () => {
      throw unsupported("lipsum()");
    },
    namespace: (args, named) => namespace(args, named, runtime),
    raise_exception: (args, named) => {
      throw new Refusal(str(bind("raise_exception", "message", args, named)[0]!, runtime));
    },
    range: (args) => range(args),
    strftime_now: (args, named) => now(needText(bind("strftime_now", "format", args, named)[0]!, "a format"), runtime),
  };
  return new Map(Object.entries(functions).map(([name, call]) => [name, new Callable(name, call)]));
}

function cycler(items: Value[]): Cycler {
  if (items.length === 0) throw new TemplateError("at least one item has to be provided");
  return new Cycler(items);
}

function dict(args: Value[], named: NamedArguments, runtime: Runtime): Dict {
  if (args.length > 1) throw new TemplateError("dict expected at most 1 argument");
  const [given] = args;
  const entries =
    given instanceof Dict ? given.entries() : given === undefined ? [] : pairsOf(given, "dict()", runtime);
  return new Dict(runtime, [...entries, ...named]);
}

function namespace(args: Value[], named: NamedArguments, runtime: Runtime): Namespace {
  const attributes = dict(args, named, runtime);
  for (const [name] of attributes.entries()) checkAttribute(name);
  return new Namespace(attributes);
}

/** @throws TemplateError for what transformers does not let into a namespace */
export function checkAttribute(name: Value): void {
  if (typeof name !== "string" || !name.startsWith("_")) return;
  throw new TemplateError(`a namespace cannot have the attribute '${name.slice(0, 80)}'`);
}

function range(args: Value[]): PyRange {
  const [first, second, step = 1] = args.map((value) => needInteger(value, "a limit of range()"));
  if (first === undefined || args.length > 3) throw new TemplateError("range() takes 1 to 3 integers");
  if (step === 0) throw new TemplateError("range() arg 3 must not be zero");
  const made = second === undefined ? new PyRange(0, first, 1) : new PyRange(first, second, step);
  if (made.length > MAX_RANGE) throw new TemplateError(`range() has more than ${MAX_RANGE} numbers`);
  return made;
}

function now(format: string, runtime: Runtime): string {
  runtime.items(format.length * 4);
  return strftime(format, runtime.now);
}
