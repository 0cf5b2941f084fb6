// Python's values: None is null, an int a bigint, a float a number, a str a string, a list an array; the rest are classes.

import { MAX_NESTING, type Runtime, TemplateError, unsupported } from "./runtime.js";

export type Value = null | boolean | bigint | number | string | Value[] | PyObject;
/** Arguments of a call by their names. */
export type NamedArguments = ReadonlyMap<string, Value>;

export abstract class PyObject {
  /** As Python's type(x).__name__ has it. */
  abstract readonly type: string;
}

export class Tuple extends PyObject {
  readonly type = "tuple";
  readonly items: readonly Value[];

  constructor(items: readonly Value[]) {
    super();
    this.items = items;
  }
}

/** What groupby gives: a pair whose halves have names. */
export class Group extends Tuple {}

/** A str that escapes what is added to it, as the filters safe and escape give it. */
export class SafeText extends PyObject {
  readonly type = "Markup";
  readonly text: string;

  constructor(text: string) {
    super();
    this.text = text;
  }
}

type Key = null | bigint | number | string | symbol;
const UNDEFINED_KEY = Symbol("Undefined");

/** Keeps the order of insertion; 1, 1.0 and True are one key. */
export class Dict extends PyObject {
  readonly type: string = "dict";
  readonly #entries = new Map<Key, readonly [Value, Value]>();
  readonly #runtime: Runtime;

  constructor(runtime: Runtime, entries: Iterable<readonly [Value, Value]> = []) {
    super();
    this.#runtime = runtime;
    for (const [key, value] of entries) this.set(key, value);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** @throws TemplateError for what Python cannot hash */
  get(key: Value): Value | undefined {
    return this.#entries.get(this.#hash(key))?.[1];
  }

  has(key: Value): boolean {
    return this.#entries.has(this.#hash(key));
  }

  set(key: Value, value: Value): void {
    this.#runtime.items(2);
    const hash = this.#hash(key);
    const known = this.#entries.get(hash);
    this.#entries.set(hash, [known ? known[0] : key, value]);
  }

  entries(): IterableIterator<readonly [Value, Value]> {
    return this.#entries.values();
  }

  #hash(key: Value): Key {
    if (typeof key === "string") return this.#runtime.plain(key);
    if (typeof key === "boolean") return BigInt(key);
    if (typeof key === "number") return Number.isInteger(key) ? BigInt(key) : key;
    if (key === null || typeof key === "bigint") return key;
    if (key instanceof SafeText) return this.#runtime.plain(key.text);
    if (key instanceof Undefined) return UNDEFINED_KEY;
    if (Array.isArray(key) || key instanceof Dict) throw new TemplateError(`unhashable type: '${typeName(key)}'`);
    throw unsupported(`a ${typeName(key)} as a key`);
  }
}

/** Arguments of a call as the caller wrote them: a mapping, but where they are written out, that text. */
export class CallArguments extends Dict {
  readonly text: string;
  /** Whether `is string` holds as well. */
  readonly isText: boolean;

  constructor(runtime: Runtime, entries: Iterable<readonly [Value, Value]>, text: string, isText: boolean) {
    super(runtime, entries);
    this.text = text;
    this.isText = isText;
  }
}

/** What items(), keys() and values() of a dict give. */
export class DictView extends PyObject {
  readonly type: string;
  readonly kind: "items" | "keys" | "values";
  readonly dict: Dict;

  constructor(kind: DictView["kind"], dict: Dict) {
    super();
    this.type = `dict_${kind}`;
    this.kind = kind;
    this.dict = dict;
  }

  *items(): IterableIterator<Value> {
    for (const [key, value] of this.dict.entries()) {
      yield this.kind === "items" ? new Tuple([key, value]) : this.kind === "keys" ? key : value;
    }
  }
}

export class PyRange extends PyObject {
  readonly type = "range";
  readonly start: number;
  readonly stop: number;
  readonly step: number;
  readonly length: number;

  constructor(start: number, stop: number, step: number) {
    super();
    this.start = start;
    this.stop = stop;
    this.step = step;
    this.length = Math.max(0, Math.ceil((stop - start) / step));
  }

  at(index: number): bigint {
    return BigInt(this.start + index * this.step);
  }
}

/** A generator: its items come when they are asked for, once. */
export class Lazy extends PyObject {
  readonly type = "generator";
  readonly items: Iterator<Value>;

  constructor(items: Iterable<Value>) {
    super();
    this.items = items[Symbol.iterator]();
  }
}

/** jinja2's Undefined: empty where it is written or looped over, an error in all else. */
export class Undefined extends PyObject {
  readonly type = "Undefined";
  readonly message: string;

  constructor(message: string) {
    super();
    this.message = message;
  }

  fail(): TemplateError {
    return new TemplateError(this.message);
  }
}

export class Namespace extends PyObject {
  readonly type = "Namespace";
  readonly attributes: Dict;

  constructor(attributes: Dict) {
    super();
    this.attributes = attributes;
  }
}

/** A function of ours. */
export class Callable extends PyObject {
  readonly type: string;
  readonly name: string;
  readonly call: (args: Value[], named: NamedArguments) => Value;

  constructor(name: string, call: Callable["call"], type = "builtin_function_or_method") {
    super();
    this.type = type;
    this.name = name;
    this.call = call;
  }
}

/** As Python's type(x).__name__ has it. */
export function typeName(value: Value): string {
  if (value === null) return "NoneType";
  if (Array.isArray(value)) return "list";
  if (value instanceof PyObject) return value.type;
  return { boolean: "bool", bigint: "int", number: "float", string: "str" }[typeof value as "string"];
}

/** The text of a str, be it safe or not. */
export function asText(value: Value): string | undefined {
  if (typeof value === "string") return value;
  return value instanceof SafeText ? value.text : undefined;
}

/** A text that was made of another one: safe if that is. */
export function likeInput(value: Value, text: string): Value {
  return value instanceof SafeText ? new SafeText(text) : text;
}

/** @throws TemplateError unless it is a str */
export function needText(value: Value, what: string): string {
  if (value instanceof Undefined) throw value.fail();
  const text = asText(value);
  if (text === undefined) throw new TemplateError(`${what} must be str, not ${typeName(value)}`);
  return text;
}

/** An int or bool as a JavaScript number, cut to what is safe. @throws TemplateError unless it is one */
export function needInteger(value: Value, what: string): number {
  if (value instanceof Undefined) throw value.fail();
  if (typeof value === "boolean") return Number(value);
  if (typeof value !== "bigint") throw new TemplateError(`${what} must be an integer, not ${typeName(value)}`);
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(value)));
}

/** Python's truth of a value: empty text, lists and mappings, 0 and None are false. */
export function isTrue(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false;
  if (Array.isArray(value) || typeof value === "string") return value.length > 0;
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof Tuple) return value.items.length > 0;
  if (value instanceof SafeText) return value.text !== "";
  if (value instanceof DictView) return value.dict.size > 0;
  if (value instanceof PyRange) return value.length > 0;
  return value instanceof PyObject || Boolean(value);
}

export const SURROGATES = /[\ud800-\udfff]/;

/** Characters as Python counts them; an array only where some take two units. */
export function characters(text: string, runtime: Runtime): ArrayLike<string> {
  runtime.text(text.length);
  if (!SURROGATES.test(text)) return text;
  runtime.spend(text.length);
  return Array.from(text);
}

/** How many they are. */
export function countCharacters(text: string, runtime: Runtime): number {
  runtime.text(text.length);
  if (!SURROGATES.test(text)) return text.length;
  runtime.text(4 * text.length);
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}

/** len(). @throws TemplateError for what has no length */
export function lengthOf(value: Value, runtime: Runtime): number {
  if (Array.isArray(value)) return value.length;
  const text = asText(value);
  if (text !== undefined) return countCharacters(text, runtime);
  if (value instanceof Dict) return value.size;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof PyRange) return value.length;
  if (value instanceof DictView) return value.dict.size;
  if (value instanceof Undefined) return 0;
  throw new TemplateError(`object of type '${typeName(value)}' has no len()`);
}

/** Whether iter() takes it. */
export function isIterable(value: Value): boolean {
  if (asText(value) !== undefined || Array.isArray(value)) return true;
  const types = [Dict, Tuple, PyRange, DictView, Lazy, Undefined];
  return types.some((type) => value instanceof type);
}

/** The items of a value, each counted. @throws TemplateError for what has none */
export function* iterate(value: Value, runtime: Runtime): Generator<Value, void> {
  for (const item of plainItems(value)) {
    runtime.items(1);
    yield item;
  }
}

function plainItems(value: Value): Iterable<Value> {
  if (Array.isArray(value)) return value;
  const text = asText(value);
  if (text !== undefined) return text;
  if (value instanceof Tuple) return value.items;
  if (value instanceof Dict) return new DictView("keys", value).items();
  if (value instanceof DictView) return value.items();
  if (value instanceof PyRange) return rangeItems(value);
  if (value instanceof Lazy) return { [Symbol.iterator]: () => ({ next: () => value.items.next() }) };
  if (value instanceof Undefined) return [];
  throw new TemplateError(`'${typeName(value)}' object is not iterable`);
}

function* rangeItems(range: PyRange): Generator<Value> {
  for (let i = 0; i < range.length; i++) yield range.at(i);
}

/** list(value). @throws TemplateError */
export function toList(value: Value, runtime: Runtime): Value[] {
  return [...iterate(value, runtime)];
}

/** The items of a value, which are pairs. @throws TemplateError where `who` takes pairs and one is none */
export function* pairsOf(value: Value, who: string, runtime: Runtime): Generator<[Value, Value]> {
  for (const pair of iterate(value, runtime)) {
    const [first, second, ...more] = toList(pair, runtime);
    if (first === undefined || second === undefined || more.length > 0) throw new TemplateError(`${who} takes pairs`);
    yield [first, second];
  }
}

/** @throws TemplateError when values are nested too deep to be walked */
export function checkNesting(depth: number): void {
  if (depth > MAX_NESTING) throw new TemplateError(`a value of it is nested more than ${MAX_NESTING} deep`);
}

/** Plain data from outside. */
export function fromJson(value: unknown, runtime: Runtime): Value {
  if (typeof value === "number") return Number.isInteger(value) && Math.abs(value) < 1e21 ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map((item) => fromJson(item, runtime));
  if (value instanceof PyObject || value === null || typeof value !== "object") return value as Value;
  return new Dict(
    runtime,
    Object.entries(value).map(([key, item]) => [key, fromJson(item, runtime)] as const),
  );
}
