// Runs a template. Everything that a template can repeat is a generator that stops now and then, so that whoever drives
// it may do something else meanwhile, or give up.

import type { Arguments, ChainStep, MacroParts, Names, Program, Statement, Target, TemplateExpression } from "./ast.js";
import { applyFilter } from "./filters.js";
import { Cycler, checkAttribute, globals, Joiner } from "./globals.js";
import { LoopContext, type LoopItems, type Run } from "./loop.js";
import { attribute, subscript } from "./python/attributes.js";
import { binary, compare, slice, unary } from "./python/operators.js";
import { type Runtime, TemplateError, unsupported } from "./python/runtime.js";
import {
  Callable,
  Dict,
  isTrue,
  iterate,
  type NamedArguments,
  Namespace,
  PyObject,
  Tuple,
  toList,
  typeName,
  Undefined,
  type Value,
} from "./python/values.js";
import { joined, str } from "./python/write.js";
import { holds, isTest } from "./tests.js";

/** Units of work between two stops. */
const SLICE = 2 ** 15;
/** Statements, expressions and macros within each other while it runs. */
const MAX_DEPTH = 400;

/** How a statement ended, if not at its end. */
type Leave = "break" | "continue" | undefined;

const UNSET = Symbol("unset");

function orUnset(value: Value | undefined): Value | typeof UNSET {
  return value === undefined ? UNSET : value;
}

/** The names of one scope while it is open. */
class Scope {
  readonly values = new Map<string, Value | typeof UNSET>();
  readonly parent: Scope | undefined;

  constructor(parent: Scope | undefined) {
    this.parent = parent;
  }

  find(name: string): Scope | undefined {
    if (this.values.has(name)) return this;
    return this.parent?.find(name);
  }
}

class Macro extends PyObject {
  readonly type = "Macro";
  readonly parts: MacroParts;
  readonly scope: Scope;

  constructor(parts: MacroParts, scope: Scope) {
    super();
    this.parts = parts;
    this.scope = scope;
  }
}

/** A recursive loop that can be called. */
interface Recursion {
  statement: Statement & { kind: "for" };
  scope: Scope;
}

export class Interpreter {
  readonly #runtime: Runtime;
  readonly #context: Map<string, Value>;
  #stop = SLICE;
  #depth = 0;
  /** Of what is being evaluated. */
  line = 1;

  constructor(runtime: Runtime, variables: ReadonlyMap<string, Value>) {
    this.#runtime = runtime;
    this.#context = new Map([...globals(runtime), ...variables]);
  }

  /** The text of the template. @throws TemplateError, Refusal */
  *run({ body, names }: Program): Run<string> {
    const out: string[] = [];
    const scope = new Scope(undefined);
    this.#open(names, scope);
    yield* this.#statements(body, scope, out);
    this.#runtime.step();
    return joined(out, this.#runtime);
  }

  /** Gives the names of a scope their first values. */
  #open(names: Names, scope: Scope): void {
    for (const [name, load] of names) {
      if (load === "parameter") {
        if (!scope.values.has(name)) scope.values.set(name, UNSET);
      } else if (load === "context") scope.values.set(name, orUnset(this.#context.get(name)));
      else if (load === "nothing") scope.values.set(name, UNSET);
      else scope.values.set(name, scope.parent!.find(name)!.values.get(name)!);
    }
  }

  *#step(line: number): Run<void> {
    this.line = line;
    this.#runtime.step();
    if (this.#runtime.work < this.#stop) return;
    this.#stop = this.#runtime.work + SLICE;
    yield;
  }

  /** @throws TemplateError */
  #enter(): void {
    if (++this.#depth > MAX_DEPTH) throw new TemplateError(`it calls itself more than ${MAX_DEPTH} steps deep`);
  }

  *#statements(body: Statement[], scope: Scope, out: string[]): Run<Leave> {
    for (const statement of body) {
      const leave = yield* this.#statement(statement, scope, out);
      if (leave) return leave;
    }
    return undefined;
  }

  *#statement(statement: Statement, scope: Scope, out: string[]): Run<Leave> {
    this.#enter();
    yield* this.#step(statement.line);
    const leave = yield* this.#execute(statement, scope, out);
    this.#depth--;
    return leave;
  }

  *#execute(statement: Statement, scope: Scope, out: string[]): Run<Leave> {
    switch (statement.kind) {
      case "output":
        for (const part of statement.parts) {
          this.#write(typeof part === "string" ? part : yield* this.#evaluate(part, scope), out);
        }
        return undefined;
      case "if":
        for (const { test, body } of statement.branches) {
          if (isTrue(yield* this.#evaluate(test, scope))) return yield* this.#statements(body, scope, out);
        }
        return yield* this.#statements(statement.otherwise, scope, out);
      case "for":
        return yield* this.#for(statement, scope, out);
      case "set":
        yield* this.#assign(statement.target, yield* this.#evaluate(statement.value, scope), scope);
        return undefined;
      case "capture":
        return yield* this.#capture(statement, scope);
      case "with":
        return yield* this.#with(statement, scope, out);
      case "filter":
        return yield* this.#filterBlock(statement, scope, out);
      case "macro":
        scope.find(statement.macro.name!)!.values.set(statement.macro.name!, new Macro(statement.macro, scope));
        return undefined;
      case "call":
        this.#write(yield* this.#callBlock(statement.call, new Macro(statement.macro, scope), scope), out);
        return undefined;
      case "generation":
        this.#write(yield* this.#invoke(new Macro(statement.macro, scope), [], new Map()), out);
        return undefined;
      default:
        return statement.kind;
    }
  }

  #write(value: Value, out: string[]): void {
    const text = str(value, this.#runtime);
    this.#runtime.allocate(text.length);
    out.push(text);
  }

  *#capture(statement: Statement & { kind: "capture" }, scope: Scope): Run<Leave> {
    const inner = new Scope(scope);
    this.#open(statement.names, inner);
    const out: string[] = [];
    const leave = yield* this.#statements(statement.body, inner, out);
    if (leave) return leave;
    const text = joined(out, this.#runtime);
    yield* this.#assign(statement.target, yield* this.#steps(text, statement.filters, inner), scope);
    return undefined;
  }

  *#filterBlock(statement: Statement & { kind: "filter" }, scope: Scope, out: string[]): Run<Leave> {
    const inner = new Scope(scope);
    this.#open(statement.names, inner);
    const text: string[] = [];
    const leave = yield* this.#statements(statement.body, inner, text);
    if (leave) return leave;
    this.#write(yield* this.#steps(joined(text, this.#runtime), statement.filters, inner), out);
    return undefined;
  }

  *#with({ targets, values, names, body }: Statement & { kind: "with" }, scope: Scope, out: string[]): Run<Leave> {
    const inner = new Scope(scope);
    this.#open(names, inner);
    for (const [i, target] of targets.entries()) {
      yield* this.#assign(target, yield* this.#evaluate(values[i]!, scope), inner);
    }
    return yield* this.#statements(body, inner, out);
  }

  *#assign(target: Target, value: Value, scope: Scope): Run<void> {
    if (target.kind === "tuple") {
      const items = toList(value, this.#runtime);
      if (items.length !== target.items.length) {
        throw new TemplateError(`${items.length} values to unpack, expected ${target.items.length}`);
      }
      for (const [i, item] of items.entries()) yield* this.#assign(target.items[i]!, item, scope);
    } else if (target.kind === "attribute") {
      const namespace = this.#load(target.name, scope);
      if (!(namespace instanceof Namespace)) throw new TemplateError("cannot assign attribute on non-namespace object");
      checkAttribute(target.attribute);
      namespace.attributes.set(target.attribute, value);
    } else scope.find(target.name)!.values.set(target.name, value);
  }

  *#for(statement: Statement & { kind: "for" }, scope: Scope, out: string[]): Run<Leave> {
    const items = yield* this.#evaluate(statement.items, scope);
    if (!statement.recursive) return yield* this.#loop(statement, items, scope, out, 0);
    const text: string[] = [];
    yield* this.#loop(statement, items, scope, text, 0);
    out.push(joined(text, this.#runtime));
    return undefined;
  }

  *#loop(
    statement: Statement & { kind: "for" },
    items: Value,
    scope: Scope,
    out: string[],
    depth: number,
  ): Run<undefined> {
    const { target, bodyNames, body, otherwise, otherwiseNames } = statement;
    const recursion = statement.recursive ? { statement, scope } : undefined;
    const source = statement.test ? undefined : items;
    const loop = new LoopContext(source, this.#items(statement, items, scope), depth, recursion, this.#runtime);
    const hasLoop = bodyNames.get("loop") === "parameter";
    let empty = true;
    while (yield* loop.next()) {
      this.#runtime.items(1);
      const inner = new Scope(scope);
      if (hasLoop) inner.values.set("loop", loop);
      this.#declare(target, inner);
      yield* this.#assign(target, loop.current, inner);
      this.#open(bodyNames, inner);
      yield* this.#step(statement.line);
      const leave = yield* this.#statements(body, inner, out);
      if (leave === undefined) empty = false;
      if (leave === "break") break;
    }
    // Jinja takes a loop as empty when no turn of it came to its end.
    if (!empty || otherwise.length === 0) return undefined;
    const inner = new Scope(scope);
    this.#open(otherwiseNames, inner);
    yield* this.#statements(otherwise, inner, out);
    return undefined;
  }

  /** The items of a loop that pass its test, one after the other. */
  *#items(statement: Statement & { kind: "for" }, items: Value, scope: Scope): LoopItems {
    const { test, testNames, target } = statement;
    const inner = new Scope(scope);
    if (test) this.#open(testNames, inner);
    for (const item of iterate(items, this.#runtime)) {
      if (test) {
        this.#declare(target, inner);
        yield* this.#assign(target, item, inner);
        if (!isTrue(yield* this.#evaluate(test, inner))) continue;
      }
      yield { item };
    }
  }

  /** Makes the names of a target the scope's own. */
  #declare(target: Target, scope: Scope): void {
    if (target.kind === "tuple") for (const item of target.items) this.#declare(item, scope);
    else scope.values.set(target.name, UNSET);
  }

  #load(name: string, scope: Scope): Value {
    const value = scope.find(name)?.values.get(name);
    if (value === undefined) throw new TemplateError(`the name '${name}' is unknown here`);
    if (value === UNSET && name === "self") throw unsupported("self");
    return value === UNSET ? new Undefined(`'${name}' is undefined`) : value;
  }

  *#evaluate(expression: TemplateExpression, scope: Scope): Run<Value> {
    if (expression.kind === "constant") return expression.value;
    if (expression.kind === "name") return this.#load(expression.name, scope);
    this.#enter();
    yield* this.#step(expression.line);
    const value = yield* this.#compute(expression, scope);
    this.#depth--;
    return value;
  }

  *#compute(expression: TemplateExpression, scope: Scope): Run<Value> {
    switch (expression.kind) {
      case "constant":
      case "name":
        return yield* this.#evaluate(expression, scope);
      case "chain":
        return yield* this.#steps(yield* this.#evaluate(expression.base, scope), expression.steps, scope);
      case "list":
        return yield* this.#all(expression.items, scope);
      case "tuple":
        return new Tuple(yield* this.#all(expression.items, scope));
      case "dict":
        return yield* this.#dict(expression.entries, scope);
      case "concat": {
        const values = yield* this.#all(expression.items, scope);
        return joined(
          values.map((value) => str(value, this.#runtime)),
          this.#runtime,
        );
      }
      case "binary": {
        let value = yield* this.#evaluate(expression.first, scope);
        for (const [operator, operand] of expression.rest) {
          value = binary(operator, value, yield* this.#evaluate(operand, scope), this.#runtime);
        }
        return value;
      }
      case "compare":
        return yield* this.#compare(expression, scope);
      case "and":
      case "or":
        return yield* this.#choose(expression.operands, expression.kind === "or", scope);
      case "not":
        return !isTrue(yield* this.#evaluate(expression.operand, scope));
      case "sign":
        return unary(expression.sign, yield* this.#evaluate(expression.operand, scope));
      case "condition":
        if (isTrue(yield* this.#evaluate(expression.test, scope))) return yield* this.#evaluate(expression.then, scope);
        if (expression.otherwise) return yield* this.#evaluate(expression.otherwise, scope);
        return new Undefined("the inline if-expression evaluated to false and no else section was defined.");
    }
  }

  *#all(expressions: TemplateExpression[], scope: Scope): Run<Value[]> {
    const values: Value[] = [];
    for (const expression of expressions) values.push(yield* this.#evaluate(expression, scope));
    this.#runtime.items(values.length);
    return values;
  }

  *#dict(entries: [TemplateExpression, TemplateExpression][], scope: Scope): Run<Dict> {
    const dict = new Dict(this.#runtime);
    for (const [key, value] of entries) {
      dict.set(yield* this.#evaluate(key, scope), yield* this.#evaluate(value, scope));
    }
    return dict;
  }

  *#compare({ first, rest }: TemplateExpression & { kind: "compare" }, scope: Scope): Run<Value> {
    let left = yield* this.#evaluate(first, scope);
    for (const [operator, operand] of rest) {
      const right = yield* this.#evaluate(operand, scope);
      if (!compare(operator, left, right, this.#runtime)) return false;
      left = right;
    }
    return true;
  }

  /** and, or: the first value that decides. */
  *#choose(operands: TemplateExpression[], wanted: boolean, scope: Scope): Run<Value> {
    let value: Value = null;
    for (const operand of operands) {
      value = yield* this.#evaluate(operand, scope);
      if (isTrue(value) === wanted) return value;
    }
    return value;
  }

  /** What becomes of a value by all that follows it; the last call is given `caller`. */
  *#steps(base: Value, steps: ChainStep[], scope: Scope, caller?: Macro): Run<Value> {
    let value = base;
    for (const step of steps) {
      yield* this.#step(step.line);
      const extra = step === steps.at(-1) ? caller : undefined;
      value = yield* this.#follow(value, step, scope, extra);
    }
    return value;
  }

  *#follow(value: Value, step: ChainStep, scope: Scope, caller: Macro | undefined): Run<Value> {
    switch (step.kind) {
      case "attribute":
        return yield* this.#attribute(value, step.name);
      case "item": {
        const index = yield* this.#evaluate(step.index, scope);
        if (typeof index === "string" && value instanceof LoopContext) return yield* this.#attribute(value, index);
        return subscript(value, index, this.#runtime);
      }
      case "slice": {
        const bounds: (Value | undefined)[] = [];
        for (const bound of step.bounds) bounds.push(bound && (yield* this.#evaluate(bound, scope)));
        return slice(value, bounds, this.#runtime);
      }
      case "call": {
        const { args, named } = yield* this.#arguments(step.with, scope);
        if (caller) named.set("caller", caller);
        return yield* this.#call(value, args, named);
      }
      case "filter": {
        const { args, named } = yield* this.#arguments(step.with, scope);
        return applyFilter(step.name, value, args, named, this.#runtime);
      }
      case "test": {
        const { args, named } = yield* this.#arguments(step.with, scope);
        if (!isTest(step.name)) throw new TemplateError(`no test named '${step.name}'`);
        return holds(step.name, value, args, named, this.#runtime) !== step.negated;
      }
    }
  }

  *#attribute(value: Value, name: string): Run<Value> {
    const own = value instanceof LoopContext ? yield* value.attribute(name) : undefined;
    if (own !== undefined) return own;
    const cycled = value instanceof Cycler ? value.attribute(name) : undefined;
    if (cycled !== undefined) return cycled;
    if (value instanceof Macro && !name.startsWith("_")) throw unsupported("an attribute of a macro");
    return attribute(value, name, this.#runtime);
  }

  *#arguments(given: Arguments, scope: Scope): Run<{ args: Value[]; named: Map<string, Value> }> {
    const args = yield* this.#all(given.args, scope);
    const named = new Map<string, Value>();
    for (const [name, value] of given.named) named.set(name, yield* this.#evaluate(value, scope));
    if (given.list) args.push(...toList(yield* this.#evaluate(given.list, scope), this.#runtime));
    if (!given.dict) return { args, named };
    const more = yield* this.#evaluate(given.dict, scope);
    if (!(more instanceof Dict)) throw new TemplateError(`argument after ** must be a mapping, not ${typeName(more)}`);
    for (const [name, value] of more.entries()) {
      if (typeof name !== "string") throw new TemplateError("keywords must be strings");
      if (named.has(name)) throw new TemplateError(`got multiple values for keyword argument '${name}'`);
      named.set(this.#runtime.plain(name), value);
    }
    return { args, named };
  }

  *#call(callee: Value, args: Value[], named: Map<string, Value>): Run<Value> {
    if (callee instanceof Macro) return yield* this.#invoke(callee, args, named);
    if (callee instanceof LoopContext) return yield* this.#recurse(callee, args, named);
    if (callee instanceof Callable) return callee.call(args, named);
    if (callee instanceof Joiner) {
      const first = !callee.used;
      callee.used = true;
      return first ? "" : callee.separator;
    }
    if (callee instanceof Undefined) throw callee.fail();
    throw new TemplateError(`'${typeName(callee)}' object is not callable`);
  }

  *#recurse(loop: LoopContext, args: Value[], named: NamedArguments): Run<Value> {
    const recursion = loop.recursion as Recursion | undefined;
    if (!recursion) throw new TemplateError("The loop must have the 'recursive' marker to be called recursively.");
    if (args.length !== 1 || named.size > 0) throw new TemplateError("loop() takes what is looped over");
    this.#enter();
    const out: string[] = [];
    yield* this.#loop(recursion.statement, args[0]!, recursion.scope, out, loop.depth0 + 1);
    this.#depth--;
    return joined(out, this.#runtime);
  }

  *#callBlock({ base, steps }: TemplateExpression & { kind: "chain" }, caller: Macro, scope: Scope): Run<Value> {
    return yield* this.#steps(yield* this.#evaluate(base, scope), steps, scope, caller);
  }

  *#invoke(macro: Macro, args: Value[], named: Map<string, Value>): Run<string> {
    const { parameters, defaults, body, names } = macro.parts;
    const scope = new Scope(macro.scope);
    this.#bind(macro, args, named, scope);
    this.#open(names, scope);
    this.#enter();
    for (const [i, parameter] of parameters.entries()) {
      if (scope.values.get(parameter) !== UNSET) continue;
      const otherwise = defaults[i - parameters.length + defaults.length];
      const missing = new Undefined(`parameter '${parameter}' was not provided`);
      scope.values.set(parameter, otherwise ? yield* this.#evaluate(otherwise, scope) : missing);
    }
    const out: string[] = [];
    yield* this.#statements(body, scope, out);
    this.#depth--;
    return joined(out, this.#runtime);
  }

  /** Puts arguments where the parameters are, as jinja2.runtime.Macro does. */
  #bind({ parts }: Macro, args: Value[], given: ReadonlyMap<string, Value>, scope: Scope): void {
    const { parameters, uses } = parts;
    const name = parts.name ?? "caller";
    const named = new Map(given);
    for (const [i, parameter] of parameters.entries()) {
      const value = i < args.length ? args[i] : named.get(parameter);
      if (i >= args.length) named.delete(parameter);
      scope.values.set(parameter, orUnset(value));
    }
    if (uses.has("caller") && !parameters.includes("caller")) {
      scope.values.set("caller", named.get("caller") ?? new Undefined("No caller defined"));
      named.delete("caller");
    }
    if (uses.has("kwargs") && !parameters.includes("kwargs"))
      scope.values.set("kwargs", new Dict(this.#runtime, named));
    else if (named.size > 0)
      throw new TemplateError(`macro '${name}' takes no keyword argument '${[...named.keys()][0]}'`);
    const rest = args.slice(parameters.length);
    if (uses.has("varargs") && !parameters.includes("varargs")) scope.values.set("varargs", new Tuple(rest));
    else if (rest.length > 0)
      throw new TemplateError(`macro '${name}' takes not more than ${parameters.length} arguments`);
  }
}
