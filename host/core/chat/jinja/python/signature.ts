// Arguments by position and by name, as Python's functions take them.

import { type Runtime, TemplateError } from "./runtime.js";
import type { NamedArguments, Value } from "./values.js";

/** Names of parameters, `?` behind those that may be left out, and a last `/` if they have no names for callers. */
export type Signature = string;

/** A filter: what it takes, the value first, and what it does. */
export type Filter = readonly [
  signature: Signature,
  apply: (runtime: Runtime, value: Value, ...args: (Value | undefined)[]) => Value,
];

interface Parameters {
  names: string[];
  required: number;
  positional: boolean;
}

const parsed = new Map<Signature, Parameters>();

function parameters(signature: Signature): Parameters {
  let known = parsed.get(signature);
  if (!known) {
    const words = signature.split(" ").filter((word) => word !== "");
    const names = words.filter((word) => word !== "/");
    const required = names.filter((name) => !name.endsWith("?")).length;
    known = { names: names.map((name) => name.replace("?", "")), required, positional: words.includes("/") };
    parsed.set(signature, known);
  }
  return known;
}

/** The arguments in the order of the parameters, undefined where none is given. @throws TemplateError as Python raises */
export function bind(
  name: string,
  signature: Signature,
  args: readonly Value[],
  named: NamedArguments,
): (Value | undefined)[] {
  const { names, required, positional } = parameters(signature);
  if (args.length > names.length) {
    throw new TemplateError(`${name}() takes at most ${names.length} arguments (${args.length} given)`);
  }
  const bound: (Value | undefined)[] = names.map((_, i) => args[i]);
  for (const [key, value] of named) {
    const place = positional ? -1 : names.indexOf(key);
    if (place < 0) throw new TemplateError(`${name}() got an unexpected keyword argument '${key}'`);
    if (place < args.length) throw new TemplateError(`${name}() got multiple values for argument '${key}'`);
    bound[place] = value;
  }
  const missing = names.findIndex((_, i) => i < required && bound[i] === undefined);
  if (missing >= 0) throw new TemplateError(`${name}() missing required argument '${names[missing]}'`);
  return bound;
}
