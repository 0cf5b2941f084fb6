// Which names belong to which scope, after jinja2/idtracking.py. A name that a scope stores anywhere is its own from the
// start, so a loop before `{% set x %}` does not see the x that was passed to the template.

import type { Arguments, ChainStep, MacroParts, Names, Program, Statement, Target, TemplateExpression } from "./ast.js";
import { isFilter } from "./filters.js";
import { type Runtime, TemplateError } from "./python/runtime.js";
import { isTest } from "./tests.js";

/** Fills in the names of all scopes. @throws TemplateError for filters and tests that Jinja does not have */
export function resolveNames(program: Program, runtime: Runtime): void {
  const root = new Symbols(program.names, undefined, runtime);
  visitAll(program.body, root);
  nest(program.body, root, false);
}

/** The names of a scope while it is looked through; a branch of an if is a layer over what is known before it. */
class Symbols {
  readonly names: Names;
  readonly runtime: Runtime;
  readonly #parent: Symbols | undefined;
  readonly #base: Symbols | undefined;
  readonly #stores = new Set<string>();

  constructor(names: Names, parent: Symbols | undefined, runtime: Runtime, base?: Symbols) {
    this.names = names;
    this.runtime = runtime;
    this.#parent = parent;
    this.#base = base;
  }

  inner(names: Names): Symbols {
    return new Symbols(names, this, this.runtime);
  }

  branch(): Symbols {
    return new Symbols(new Map(), this.#parent, this.runtime, this);
  }

  load(name: string): void {
    if (!this.find(name)) this.names.set(name, "context");
  }

  store(name: string): void {
    this.#stores.add(name);
    if (!this.has(name)) this.names.set(name, this.#outside(name) ? "outer" : "nothing");
  }

  parameter(name: string): void {
    this.#stores.add(name);
    this.names.set(name, "parameter");
  }

  /** After the branches of an if: what only some of them store may come from outside. */
  merge(branches: Symbols[]): void {
    const stored = new Set(branches.flatMap((branch) => [...branch.#stores].filter((name) => !this.isStored(name))));
    for (const branch of branches) {
      for (const [name, load] of branch.names) this.names.set(name, load);
      for (const name of branch.#stores) this.#stores.add(name);
    }
    for (const name of stored) this.names.set(name, this.#outside(name) ? "outer" : "context");
  }

  has(name: string): boolean {
    return this.names.has(name) || (this.#base?.has(name) ?? false);
  }

  isStored(name: string): boolean {
    return this.#stores.has(name) || (this.#base?.isStored(name) ?? false);
  }

  find(name: string): boolean {
    this.runtime.spend(1);
    return this.has(name) || this.#outside(name);
  }

  #outside(name: string): boolean {
    return this.#parent?.find(name) ?? false;
  }
}

function visitAll(statements: Statement[], symbols: Symbols): void {
  for (const statement of statements) visit(statement, symbols);
}

/** Notes what a statement loads and stores in the scope that it stands in, not in those that it opens. */
function visit(statement: Statement, symbols: Symbols): void {
  switch (statement.kind) {
    case "output":
      for (const part of statement.parts) if (typeof part !== "string") load(part, symbols);
      break;
    case "if":
      visitIf(statement.branches, statement.otherwise, symbols);
      break;
    case "for":
      load(statement.items, symbols);
      break;
    case "set":
      load(statement.value, symbols);
      store(statement.target, symbols);
      break;
    case "capture":
      store(statement.target, symbols);
      break;
    case "with":
      for (const value of statement.values) load(value, symbols);
      break;
    case "filter":
      loadSteps(statement.filters, symbols);
      break;
    case "macro":
      symbols.store(statement.macro.name!);
      break;
    case "call":
      load(statement.call, symbols);
      break;
  }
}

function visitIf(
  branches: { test: TemplateExpression; body: Statement[] }[],
  otherwise: Statement[],
  symbols: Symbols,
): void {
  const [first, ...others] = branches;
  load(first!.test, symbols);
  const body = symbols.branch();
  visitAll(first!.body, body);
  // All elifs are one branch, in which each is an if of its own.
  const elifs = symbols.branch();
  for (const other of others) visitIf([other], [], elifs);
  const last = symbols.branch();
  visitAll(otherwise, last);
  symbols.merge([body, elifs, last]);
}

function store(target: Target, symbols: Symbols, parameter = false): void {
  if (target.kind === "tuple") for (const item of target.items) store(item, symbols, parameter);
  else if (target.kind === "attribute") symbols.load(target.name);
  else if (parameter) symbols.parameter(target.name);
  else symbols.store(target.name);
}

function load(expression: TemplateExpression, symbols: Symbols): void {
  forEachName(expression, (name) => symbols.load(name));
}

function loadSteps(steps: ChainStep[], symbols: Symbols): void {
  for (const step of steps) for (const part of stepParts(step)) load(part, symbols);
}

function forEachName(expression: TemplateExpression, found: (name: string) => void): void {
  if (expression.kind === "name") found(expression.name);
  for (const part of parts(expression)) forEachName(part, found);
}

/** The expressions within an expression, in the order in which jinja2 visits them. */
function parts(expression: TemplateExpression): TemplateExpression[] {
  switch (expression.kind) {
    case "list":
    case "tuple":
    case "concat":
      return expression.items;
    case "dict":
      return expression.entries.flat();
    case "chain":
      return [expression.base, ...expression.steps.flatMap(stepParts)];
    case "binary":
    case "compare":
      return [expression.first, ...expression.rest.map(([, operand]) => operand)];
    case "and":
    case "or":
      return expression.operands;
    case "not":
    case "sign":
      return [expression.operand];
    case "condition":
      return [expression.test, expression.then, ...(expression.otherwise ? [expression.otherwise] : [])];
    default:
      return [];
  }
}

function stepParts(step: ChainStep): TemplateExpression[] {
  if (step.kind === "item") return [step.index];
  if (step.kind === "slice") return step.bounds.filter((bound) => bound !== undefined);
  return step.kind === "attribute" ? [] : argumentParts(step.with);
}

function argumentParts({ args, named, list, dict }: Arguments): TemplateExpression[] {
  return [...args, ...named.map(([, value]) => value), ...[list, dict].filter((one) => one !== undefined)];
}

/** Goes into the scopes that statements open. `soft`: unknown filters are an error only where they are reached. */
function nest(statements: Statement[], symbols: Symbols, soft: boolean): void {
  for (const statement of statements) enter(statement, symbols, soft);
}

function enter(statement: Statement, symbols: Symbols, soft: boolean): void {
  checkNames(statement, soft);
  switch (statement.kind) {
    case "if":
      for (const { body } of statement.branches) nest(body, symbols, true);
      nest(statement.otherwise, symbols, true);
      break;
    case "for":
      enterFor(statement, symbols);
      break;
    case "capture":
    case "filter":
      scope(statement.body, symbols.inner(statement.names), statement.filters);
      break;
    case "with": {
      const inner = symbols.inner(statement.names);
      for (const target of statement.targets) store(target, inner, true);
      scope(statement.body, inner);
      break;
    }
    case "macro":
    case "call":
    case "generation":
      enterMacro(statement.macro, symbols);
      break;
  }
}

function scope(body: Statement[], symbols: Symbols, filters: ChainStep[] = []): void {
  visitAll(body, symbols);
  loadSteps(filters, symbols);
  nest(body, symbols, false);
}

function enterFor(loop: Statement & { kind: "for" }, symbols: Symbols): void {
  const body = symbols.inner(loop.bodyNames);
  const special = new Set(["loop"]);
  if (loop.recursive || undeclared(loop.body, special, symbols.runtime).size > 0) body.parameter("loop");
  store(loop.target, body, true);
  visitAll(loop.body, body);
  const otherwise = symbols.inner(loop.otherwiseNames);
  visitAll(loop.otherwise, otherwise);
  if (loop.test) {
    const test = symbols.inner(loop.testNames);
    store(loop.target, test, true);
    load(loop.test, test);
  }
  if (storesLoop([loop], symbols.runtime))
    throw new TemplateError(`line ${loop.line}: can't assign to special loop variable`);
  nest(loop.body, body, false);
  nest(loop.otherwise, otherwise, false);
}

function storesLoop(statements: Statement[], runtime: Runtime): boolean {
  const isLoop = (target: Target): boolean =>
    target.kind === "tuple" ? target.items.some(isLoop) : target.kind === "name" && target.name === "loop";
  return statements.some((statement) => {
    runtime.spend(1);
    const stored = statement.kind === "with" ? [] : targetsOf(statement);
    return stored.some(isLoop) || bodiesOf(statement).some((body) => storesLoop(body, runtime));
  });
}

function enterMacro(macro: MacroParts, symbols: Symbols): void {
  const inner = symbols.inner(macro.names);
  for (const name of macro.parameters) inner.parameter(name);
  for (const value of macro.defaults) load(value, inner);
  const special = undeclared(macro.body, new Set(["caller", "kwargs", "varargs"]), symbols.runtime);
  const given = (name: string) => macro.parameters.includes(name);
  if (special.has("caller") && given("caller")) {
    const place = macro.parameters.indexOf("caller") - macro.parameters.length;
    if (place < -macro.defaults.length) throw new TemplateError('the argument "caller" must have a default');
  }
  for (const name of special) if (!given(name)) inner.parameter(name);
  macro.uses = special;
  visitAll(macro.body, inner);
  nest(macro.body, inner, false);
}

/** Which of the names are loaded before anything is stored under them, also in scopes within. */
function undeclared(statements: Statement[], names: Set<string>, runtime: Runtime): Set<string> {
  const open = new Set(names);
  const found = new Set<string>();
  const loaded = (name: string) => {
    runtime.spend(1);
    if (open.has(name)) found.add(name);
  };
  const stored = (target: Target): void => {
    if (target.kind === "tuple") target.items.forEach(stored);
    else if (target.kind === "name") open.delete(target.name);
  };
  const walk = (statement: Statement): void => {
    runtime.spend(1);
    for (const expression of expressionsOf(statement)) forEachName(expression, loaded);
    for (const target of targetsOf(statement)) stored(target);
    if ("macro" in statement) for (const name of statement.macro.parameters) open.delete(name);
    for (const body of bodiesOf(statement)) body.forEach(walk);
  };
  statements.forEach(walk);
  return found;
}

function expressionsOf(statement: Statement): TemplateExpression[] {
  switch (statement.kind) {
    case "output":
      return statement.parts.filter((part) => typeof part !== "string");
    case "if":
      return statement.branches.map(({ test }) => test);
    case "for":
      return [statement.items, ...(statement.test ? [statement.test] : [])];
    case "set":
      return [statement.value];
    case "with":
      return statement.values;
    case "capture":
    case "filter":
      return statement.filters.flatMap(stepParts);
    case "macro":
      return statement.macro.defaults;
    case "call":
      return [statement.call, ...statement.macro.defaults];
    default:
      return [];
  }
}

function targetsOf(statement: Statement): Target[] {
  if (statement.kind === "with") return statement.targets;
  return "target" in statement ? [statement.target] : [];
}

function bodiesOf(statement: Statement): Statement[][] {
  if (statement.kind === "if") return [...statement.branches.map(({ body }) => body), statement.otherwise];
  if (statement.kind === "for") return [statement.body, statement.otherwise];
  if ("macro" in statement) return [statement.macro.body];
  return "body" in statement ? [statement.body] : [];
}

/** Filters and tests that Jinja does not have are found before anything is rendered, unless a condition may avoid them. */
function checkNames(statement: Statement, soft: boolean): void {
  if (statement.kind === "capture" || statement.kind === "filter") checkSteps(statement.filters, soft);
  for (const expression of expressionsOf(statement)) {
    checkExpression(expression, soft || statement.kind === "if");
  }
}

function checkExpression(expression: TemplateExpression, soft: boolean): void {
  if (expression.kind === "chain") checkSteps(expression.steps, soft);
  for (const part of parts(expression)) checkExpression(part, soft || expression.kind === "condition");
}

function checkSteps(steps: ChainStep[], soft: boolean): void {
  for (const step of steps) {
    if (step.kind !== "filter" && step.kind !== "test") continue;
    const known = step.kind === "filter" ? isFilter(step.name) : isTest(step.name);
    if (!known && !soft) throw new TemplateError(`line ${step.line}: no ${step.kind} named '${step.name}'`);
  }
}
