// Jinja as transformers sets it up for chat templates: jinja2's ImmutableSandboxedEnvironment with trim_blocks,
// lstrip_blocks, loop controls, {% generation %}, and its own tojson, raise_exception and strftime_now.
//
// Templates come with model files, so nobody is to be trusted. What they can do is limited by construction: everything
// that walks a value counts what it walks (python/runtime.ts), values hold nothing of JavaScript's, and a run stops
// every millisecond or so.
//
// To read: lexer, expressions and parser, scope (which name is whose), interpreter, then python/ for how values behave.

import { Interpreter } from "./interpreter.js";
import { tokenize } from "./lexer.js";
import { parse } from "./parser.js";
import { Runtime, TemplateError } from "./python/runtime.js";
import type { Value } from "./python/values.js";
import { resolveNames } from "./scope.js";

export { Refusal } from "./globals.js";
export { parseJson } from "./python/json.js";
export { type Guards, Runtime, TemplateError } from "./python/runtime.js";
export { CallArguments, fromJson, type Value } from "./python/values.js";

/** Characters. */
export const MAX_SOURCE = 64 * 1024;

/**
 * The text of a template. The generator stops every now and then.
 * @throws TemplateError with the line, Refusal for what raise_exception() says
 */
export function* render(
  source: string,
  variables: ReadonlyMap<string, Value>,
  runtime = new Runtime(),
): Generator<undefined, string> {
  if (source.length > MAX_SOURCE) {
    throw new TemplateError(`it has ${source.length} characters, must be at most ${MAX_SOURCE}`);
  }
  runtime.step();
  const tokens = tokenize(source);
  yield;
  const program = parse(tokens);
  yield;
  resolveNames(program, runtime);
  yield;
  const interpreter = new Interpreter(runtime, variables);
  try {
    return yield* interpreter.run(program);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new TemplateError(`line ${interpreter.line}: ${error.message}`);
  }
}
