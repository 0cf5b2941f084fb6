// How Python writes values: str(), repr() and json.dumps().

import { checkInteger, writeFloat } from "./numbers.js";
import { type Runtime, TemplateError, unsupported } from "./runtime.js";
import {
  asText,
  CallArguments,
  checkNesting,
  Dict,
  DictView,
  Namespace,
  PyRange,
  SafeText,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.js";

/** str(value). @throws TemplateError for what has an address in its text, and for what is too long or nested too deep */
export function str(value: Value, runtime: Runtime): string {
  if (typeof value === "string") return value;
  if (value instanceof SafeText) return value.text;
  if (value instanceof Undefined) return "";
  if (value instanceof CallArguments) return value.text;
  return repr(value, runtime);
}

/** repr(value). @throws TemplateError as str() does */
export function repr(value: Value, runtime: Runtime): string {
  const parts: string[] = [];
  new PyWriter(parts, runtime).write(value, 0);
  return joined(parts, runtime);
}

/** One text of many. @throws TemplateError when it gets too long */
export function joined(parts: readonly string[], runtime: Runtime, separator = ""): string {
  const length = parts.reduce((sum, part) => sum + part.length, Math.max(0, parts.length - 1) * separator.length);
  runtime.items(parts.length);
  runtime.allocate(length);
  return parts.join(separator);
}

class PyWriter {
  readonly #parts: string[];
  readonly #runtime: Runtime;

  constructor(parts: string[], runtime: Runtime) {
    this.#parts = parts;
    this.#runtime = runtime;
  }

  write(value: Value, depth: number): void {
    checkNesting(depth);
    this.#runtime.items(2);
    if (value === null) this.#parts.push("None");
    else if (typeof value === "boolean") this.#parts.push(value ? "True" : "False");
    else if (typeof value === "bigint") this.#parts.push(String(checkInteger(value, this.#runtime)));
    else if (typeof value === "number") this.#parts.push(writeFloat(value));
    else if (typeof value === "string") this.#parts.push(quote(value, this.#runtime));
    else if (Array.isArray(value)) this.#list(value, "[", "]", depth);
    else this.#object(value, depth);
  }

  #object(value: object, depth: number): void {
    if (value instanceof Tuple) this.#list(value.items, "(", value.items.length === 1 ? ",)" : ")", depth);
    else if (value instanceof Dict) this.#dict(value, depth);
    else if (value instanceof SafeText) this.#parts.push("Markup(", quote(value.text, this.#runtime), ")");
    else if (value instanceof Undefined) this.#parts.push("Undefined");
    else if (value instanceof DictView) this.#list(value.items(), `${value.type}([`, "])", depth);
    else if (value instanceof PyRange) this.#parts.push(rangeText(value));
    else if (value instanceof Namespace) {
      this.#parts.push("<Namespace ");
      this.write(value.attributes, depth + 1);
      this.#parts.push(">");
    } else throw unsupported(`writing a ${typeName(value as Value)}`);
  }

  #list(items: Iterable<Value>, open: string, close: string, depth: number): void {
    this.#parts.push(open);
    let separator = "";
    for (const item of items) {
      this.#parts.push(separator);
      this.write(item, depth + 1);
      separator = ", ";
    }
    this.#parts.push(close);
  }

  #dict(dict: Dict, depth: number): void {
    this.#parts.push("{");
    let separator = "";
    for (const [key, value] of dict.entries()) {
      this.#parts.push(separator);
      this.write(key, depth + 1);
      this.#parts.push(": ");
      this.write(value, depth + 1);
      separator = ", ";
    }
    this.#parts.push("}");
  }
}

function rangeText({ start, stop, step }: PyRange): string {
  return `range(${start}, ${stop}${step === 1 ? "" : `, ${step}`})`;
}

const ESCAPES: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
/** What str.isprintable() is not true of, but for the space. */
const UNPRINTABLE = /[\\\p{C}\p{Zl}\p{Zp}]|[^\P{Zs} ]/gu;

/** repr() of a str: in single quotes, unless it has some and no double ones. */
function quote(text: string, runtime: Runtime): string {
  runtime.text(4 * text.length);
  runtime.items(2);
  const plain = runtime.plain(text);
  const hasSingle = plain.includes("'");
  const mark = hasSingle && !plain.includes('"') ? '"' : "'";
  const escaped = escaping(text, UNPRINTABLE, runtime, (character) =>
    runtime.isGuard(character) ? character : (ESCAPES[character] ?? hexEscape(character)),
  );
  return mark + (hasSingle && mark === "'" ? escaping(escaped, /'/g, runtime, () => "\\'") : escaped) + mark;
}

function escaping(text: string, pattern: RegExp, runtime: Runtime, by: (character: string) => string): string {
  if (text.search(pattern) < 0) return text;
  runtime.items(2 * text.length);
  return text.replace(pattern, by);
}

/** `\xe8`, `\u20ac` or `\U0001f600`. */
export function hexEscape(character: string): string {
  const code = character.codePointAt(0)!;
  const digits = code > 0xffff ? 8 : code > 0xff ? 4 : 2;
  return `\\${{ 2: "x", 4: "u", 8: "U" }[digits]}${code.toString(16).padStart(digits, "0")}`;
}

export interface JsonStyle {
  ascii?: boolean;
  /** What each level is indented by; all in one line without. */
  indent?: string | undefined;
  item?: string;
  key?: string;
  sorted?: boolean;
  /** Orders keys. */
  less?: (a: Value, b: Value) => boolean;
}

/** json.dumps(value). @throws TemplateError for what it does not take, and as str() does */
export function toJson(value: Value, style: JsonStyle, runtime: Runtime): string {
  const { ascii = false, indent, item = indent === undefined ? ", " : ",", key = ": ", sorted = false } = style;
  const parts: string[] = [];
  const text = (content: string) => jsonText(content, ascii, runtime);

  function list<T>(open: string, close: string, items: readonly T[], depth: number, each: (item: T) => void): void {
    const line = (level: number) => (indent === undefined ? "" : `\n${indent.repeat(level)}`);
    parts.push(open);
    items.forEach((one, i) => {
      parts.push(i === 0 ? "" : item, line(depth + 1));
      each(one);
    });
    parts.push(items.length === 0 ? "" : line(depth), close);
  }

  function dict(entries: (readonly [Value, Value])[], depth: number): void {
    const { less = () => false } = style;
    if (sorted) entries.sort(([a], [b]) => (less(a, b) ? -1 : less(b, a) ? 1 : 0));
    list("{", "}", entries, depth, ([name, one]) => {
      parts.push(text(jsonKey(name, runtime)), key);
      write(one, depth + 1);
    });
  }

  function write(current: Value, depth: number): void {
    checkNesting(depth);
    runtime.items(3);
    if (indent !== undefined) runtime.text(indent.length * depth);
    const content = asText(current);
    if (content !== undefined) parts.push(text(content));
    else if (current === null) parts.push("null");
    else if (Array.isArray(current)) list("[", "]", current, depth, (one) => write(one, depth + 1));
    else if (current instanceof Tuple) list("[", "]", current.items, depth, (one) => write(one, depth + 1));
    else if (current instanceof Dict) {
      runtime.items(2 * current.size);
      dict([...current.entries()], depth);
    } else if (typeof current !== "object") parts.push(jsonScalar(current as boolean | bigint | number, runtime));
    else throw new TemplateError(`Object of type ${typeName(current)} is not JSON serializable`);
  }

  write(value, 0);
  return joined(parts, runtime);
}

function jsonScalar(value: boolean | bigint | number, runtime: Runtime): string {
  if (typeof value === "bigint") return String(checkInteger(value, runtime));
  if (typeof value === "boolean") return String(value);
  return Number.isFinite(value)
    ? writeFloat(value)
    : Number.isNaN(value)
      ? "NaN"
      : value > 0
        ? "Infinity"
        : "-Infinity";
}

function jsonKey(key: Value, runtime: Runtime): string {
  const text = asText(key);
  if (text !== undefined) return text;
  if (key === null) return "null";
  if (typeof key === "object")
    throw new TemplateError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
  return jsonScalar(key as boolean | bigint | number, runtime);
}

function jsonText(text: string, ascii: boolean, runtime: Runtime): string {
  runtime.text(2 * text.length);
  const quoted = JSON.stringify(text);
  if (!ascii || !BEYOND_ASCII.test(quoted)) return quoted;
  runtime.items(quoted.length);
  return quoted.replace(new RegExp(BEYOND_ASCII, "g"), (unit) =>
    runtime.isGuard(unit) ? unit : `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

const BEYOND_ASCII = /[\x7f-\uffff]/;
