// All filters by name; here are those that take the names of others.

import { percent } from "./python/format.js";
import { type Runtime, TemplateError, unsupported } from "./python/runtime.js";
import { bind, type Filter } from "./python/signature.js";
import {
  Dict,
  isTrue,
  iterate,
  Lazy,
  type NamedArguments,
  needText,
  SafeText,
  Tuple,
  type Value,
} from "./python/values.js";
import { str } from "./python/write.js";
import { type Getter, getter, SEQUENCE_FILTERS } from "./sequences.js";
import { holds, isTest } from "./tests.js";
import { TEXT_FILTERS } from "./text_filters.js";

/** Filters of Jinja that are left out: for web pages, or random. */
const LEFT_OUT = ["pprint", "random", "striptags", "urlize", "wordwrap", "xmlattr"];

const FILTERS: Readonly<Record<string, Filter>> = { ...TEXT_FILTERS, ...SEQUENCE_FILTERS };

type OpenFilter = (value: Value, args: readonly Value[], named: NamedArguments, runtime: Runtime) => Value;

/** Filters that take any arguments. */
const OPEN: Readonly<Record<string, OpenFilter>> = {
  format,
  map: (value, args, named, runtime) => new Lazy(mapped(value, args, named, runtime)),
  reject: chosen({ byAttribute: false, wanted: false }),
  rejectattr: chosen({ byAttribute: true, wanted: false }),
  select: chosen({ byAttribute: false, wanted: true }),
  selectattr: chosen({ byAttribute: true, wanted: true }),
};

/** Whether Jinja has it. */
export function isFilter(name: string): boolean {
  return Object.hasOwn(FILTERS, name) || Object.hasOwn(OPEN, name) || LEFT_OUT.includes(name);
}

/** @throws TemplateError for a filter that is not supported, arguments that it does not take, and where Python raises */
export function applyFilter(
  name: string,
  value: Value,
  args: readonly Value[],
  named: NamedArguments,
  runtime: Runtime,
): Value {
  if (Object.hasOwn(OPEN, name)) return OPEN[name]!(value, args, named, runtime);
  if (LEFT_OUT.includes(name)) throw unsupported(`the filter "${name}"`);
  if (!Object.hasOwn(FILTERS, name)) throw new TemplateError(`no filter named '${name.slice(0, 80)}'`);
  const [signature, apply] = FILTERS[name]!;
  runtime.items(2);
  const [first, ...rest] = bind(name, signature, [value, ...args], named);
  return apply(runtime, first!, ...rest);
}

function format(value: Value, args: readonly Value[], named: NamedArguments, runtime: Runtime): Value {
  if (value instanceof SafeText) throw unsupported("the filter format of safe text");
  if (args.length > 0 && named.size > 0) {
    throw new TemplateError("can't handle positional and keyword arguments at the same time");
  }
  return percent(str(value, runtime), named.size > 0 ? new Dict(runtime, named) : new Tuple(args), runtime);
}

function chosen(choice: Selection): OpenFilter {
  return (value, args, named, runtime) => new Lazy(choices(value, args, named, choice, runtime));
}

function* mapped(value: Value, args: readonly Value[], named: NamedArguments, runtime: Runtime): Generator<Value> {
  if (!isTrue(value)) return;
  const change = mapper(args, named, runtime);
  for (const item of iterate(value, runtime)) yield change(item);
}

function mapper(args: readonly Value[], named: NamedArguments, runtime: Runtime): Getter {
  if (args.length === 0 && named.has("attribute")) {
    const [attribute, otherwise] = bind("map", "attribute default?", [], named);
    return getter(attribute!, false, runtime, otherwise ?? null);
  }
  const [name, ...rest] = args;
  if (name === undefined) throw new TemplateError("map requires a filter argument");
  return (item) => applyFilter(runtime.plain(needText(name, "a filter's name")), item, rest, named, runtime);
}

interface Selection {
  byAttribute: boolean;
  wanted: boolean;
}

function* choices(
  value: Value,
  args: readonly Value[],
  named: NamedArguments,
  { byAttribute, wanted }: Selection,
  runtime: Runtime,
): Generator<Value> {
  if (!isTrue(value)) return;
  const [attribute, ...others] = args;
  if (byAttribute && attribute === undefined) throw new TemplateError("Missing parameter for attribute name");
  const get = byAttribute ? getter(attribute!, false, runtime) : (item: Value) => item;
  const [test, ...rest] = byAttribute ? others : args;
  for (const item of iterate(value, runtime)) {
    if (passes(test, get(item), rest, named, runtime) === wanted) yield item;
  }
}

function passes(
  test: Value | undefined,
  value: Value,
  args: Value[],
  named: NamedArguments,
  runtime: Runtime,
): boolean {
  if (test === undefined) return isTrue(value);
  const name = runtime.plain(needText(test, "a test's name"));
  if (!isTest(name)) throw new TemplateError(`no test named '${name.slice(0, 80)}'`);
  return holds(name, value, args, named, runtime);
}
