// Renders a Jinja template that came with a model's file, so nobody to trust: steps, time and sizes are limited, and it
// reaches nothing but what it is given (@huggingface/jinja keeps all values in Maps of its own, away from prototypes).

import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import { invalidOption, ZagreusError } from "../api/errors.js";

const MAX_TEMPLATE = 256 * 1024;
/** Characters of a value, which is a few times what the longest context holds. */
const MAX_TEXT = 8 * 2 ** 20;
const MAX_ITEMS = 2 ** 20;
/** Nodes and items of loops. A conversation of 1,000 messages takes 30,000. */
const MAX_STEPS = 2 ** 20;
const MAX_MILLISECONDS = 2000;
const MAX_RANGE = 10_000;
const MAX_INDENT = 64;
/** Characters that replace() may put in one place. */
const MAX_REPLACEMENT = 16;
const CLOCK_STEPS = 64;

type Node = NonNullable<Parameters<Interpreter["evaluate"]>[0]>;
type Value = ReturnType<Interpreter["evaluate"]>;

/** What the template itself says is wrong with the conversation, by raise_exception(). */
class Refusal extends Error {}

/** The text of a template. @throws ZagreusError BAD_TEMPLATE; INVALID_OPTION when the template refuses the messages */
export function renderTemplate(source: string, variables: Readonly<Record<string, unknown>>): string {
  if (source.length > MAX_TEMPLATE) {
    throw badTemplate(`it has ${source.length} characters, must be at most ${MAX_TEMPLATE}`);
  }
  try {
    const program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
    const interpreter = new LimitedInterpreter(environment(variables));
    interpreter.inspect(program);
    return String(interpreter.run(program).value);
  } catch (error) {
    if (error instanceof ZagreusError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof Refusal) throw invalidOption("messages", reason, "what the chat template accepts");
    throw badTemplate(reason, error);
  }
}

class LimitedInterpreter extends Interpreter {
  readonly #iterables = new Set<unknown>();
  readonly #end = performance.now() + MAX_MILLISECONDS;
  #steps = 0;

  /** Finds the loops, and refuses indents and replacements that are computed or large: the ways to long texts that no step sees. */
  inspect(node: unknown): void {
    if (node === null || typeof node !== "object") return;
    const { type, iterable, callee, args } = node as Record<string, unknown>;
    if (type === "For") {
      this.#iterables.add((iterable as { lhs?: unknown }).lhs ?? iterable);
    } else if (type === "CallExpression") {
      checkCall(nameOf(callee), args as Record<string, unknown>[]);
    }
    for (const child of node instanceof Map ? [...node].flat() : Object.values(node)) this.inspect(child);
  }

  override evaluate(node: Node | undefined, scope: Environment): Value {
    this.#step(1);
    const value = super.evaluate(node, scope);
    const content: unknown = value?.value;
    if (typeof content === "string" && content.length > MAX_TEXT) {
      throw badTemplate(`a text of it has ${content.length} characters, must be at most ${MAX_TEXT}`);
    }
    if (Array.isArray(content)) {
      if (content.length > MAX_ITEMS) throw badTemplate(`a list of it has more than ${MAX_ITEMS} items`);
      if (this.#iterables.has(node)) this.#step(content.length);
    }
    return value;
  }

  #step(count: number): void {
    const before = this.#steps;
    this.#steps += count;
    if (this.#steps > MAX_STEPS) throw badTemplate(`it takes more than ${MAX_STEPS} steps`);
    if (Math.floor(before / CLOCK_STEPS) === Math.floor(this.#steps / CLOCK_STEPS)) return;
    if (performance.now() > this.#end) throw badTemplate(`it takes more than ${MAX_MILLISECONDS} ms`);
  }
}

function nameOf(node: unknown): string {
  const { type, value, property, computed } = node as Record<string, unknown>;
  if (type === "MemberExpression" && computed) throw badTemplate("methods must be called by their names");
  if (type === "MemberExpression") return nameOf(property);
  return type === "Identifier" ? String(value) : "";
}

function checkCall(name: string, args: Record<string, unknown>[]): void {
  if (name === "indent" || name === "tojson") args.forEach(checkIndent);
  if (name === "replace") checkReplacement(args[1]);
}

function checkReplacement(argument: Record<string, unknown> | undefined): void {
  const fine = argument?.type === "StringLiteral" && String(argument.value).length <= MAX_REPLACEMENT;
  if (!fine) throw badTemplate(`replace() must put in a literal of at most ${MAX_REPLACEMENT} characters`);
}

function checkIndent(argument: Record<string, unknown>): void {
  const keyword = argument.type === "KeywordArgumentExpression";
  if (keyword && !["indent", "width"].includes(nameOf(argument.key))) return;
  const { type, value } = (keyword ? argument.value : argument) as Record<string, unknown>;
  const fine =
    type === "IntegerLiteral" ? Number(value) <= MAX_INDENT : type === "Identifier" && BOOLEAN.test(String(value));
  if (!fine) throw badTemplate(`indents must be numbers of at most ${MAX_INDENT}`);
}

const BOOLEAN = /^(true|false|none)$/i;

function environment(variables: Readonly<Record<string, unknown>>): Environment {
  const scope = new Environment();
  const globals = {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    range,
    strftime_now,
    raise_exception(reason: unknown) {
      throw new Refusal(String(reason));
    },
  };
  for (const [name, value] of Object.entries({ ...globals, ...variables })) scope.set(name, value);
  return scope;
}

function range(...limits: unknown[]): number[] {
  if (limits.length === 0 || limits.length > 3 || !limits.every(Number.isSafeInteger)) {
    throw badTemplate("range() takes 1 to 3 integers");
  }
  const [start, stop, step = 1] = (limits.length === 1 ? [0, ...limits] : limits) as [number, number, number?];
  const count = step === 0 ? Number.POSITIVE_INFINITY : Math.max(0, Math.ceil((stop - start) / step));
  if (count > MAX_RANGE) throw badTemplate(`range() has more than ${MAX_RANGE} numbers`);
  return Array.from({ length: count }, (_, i) => start + i * step);
}

/** The time here, with Python's directives, in English whatever the locale is. */
function strftime_now(format: unknown): string {
  const now = new Date();
  const pad = (number: number) => String(number).padStart(2, "0");
  const month = (style: "short" | "long") => now.toLocaleString("en-US", { month: style });
  const directives: Record<string, string> = {
    Y: String(now.getFullYear()),
    m: pad(now.getMonth() + 1),
    d: pad(now.getDate()),
    b: month("short"),
    B: month("long"),
    a: now.toLocaleString("en-US", { weekday: "short" }),
    A: now.toLocaleString("en-US", { weekday: "long" }),
    H: pad(now.getHours()),
    M: pad(now.getMinutes()),
    S: pad(now.getSeconds()),
    "%": "%",
  };
  return String(format).replace(/%(.)/g, (directive, letter: string) => directives[letter] ?? directive);
}

function badTemplate(reason: string, cause?: unknown): ZagreusError {
  return new ZagreusError("BAD_TEMPLATE", `chat template: ${reason}`, { field: "template", cause });
}
