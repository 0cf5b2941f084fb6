// Jinja's expressions, after jinja2/parser.py.

import type { Arguments, ChainStep, Target, TemplateExpression } from "./ast.js";
import type { Token } from "./lexer.js";
import type { BinaryOperator, Comparison } from "./python/operators.js";
import { TemplateError } from "./python/runtime.js";

/** Brackets, signs and conditions within each other; blocks count too. */
const MAX_DEPTH = 100;

const CONSTANTS: Record<string, boolean | null> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
};
const COMPARISONS = ["==", "!=", "<", "<=", ">", ">="];

export class ExpressionParser {
  readonly #tokens: Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: Token[]) {
    this.#tokens = tokens;
  }

  get current(): Token {
    return this.#tokens[this.#at]!;
  }

  get #following(): Token {
    return this.#tokens[Math.min(this.#at + 1, this.#tokens.length - 1)]!;
  }

  next(): Token {
    const token = this.current;
    if (token.kind !== "end") this.#at++;
    return token;
  }

  is(kind: Token["kind"], ...texts: string[]): boolean {
    return this.current.kind === kind && (texts.length === 0 || texts.includes(this.current.text));
  }

  skip(kind: Token["kind"], text: string): boolean {
    if (!this.is(kind, text)) return false;
    this.next();
    return true;
  }

  /** @throws TemplateError when another token comes */
  expect(kind: Token["kind"], text?: string): Token {
    if (this.current.kind === kind && (text === undefined || this.current.text === text)) return this.next();
    const found = this.current.kind === "end" ? "the end of the template" : `'${this.current.text.slice(0, 80)}'`;
    throw this.fail(`expected ${text === undefined ? kind : `'${text}'`}, got ${found}`);
  }

  fail(reason: string, line = this.current.line): TemplateError {
    return new TemplateError(`line ${line}: ${reason}`);
  }

  /** Parses what nests. @throws TemplateError when it is too deep */
  nested<T>(parse: () => T): T {
    if (++this.#depth > MAX_DEPTH) throw this.fail(`it is nested more than ${MAX_DEPTH} deep`);
    const result = parse();
    this.#depth--;
    return result;
  }

  /** An expression, or several with commas between them: a tuple. */
  tuple(condition = true, parenthesized = false): TemplateExpression {
    const { line } = this.current;
    const items: TemplateExpression[] = [];
    let commas = false;
    while (!this.#tupleEnds()) {
      items.push(condition ? this.expression() : this.#or());
      if (!this.skip("operator", ",")) break;
      commas = true;
    }
    if (commas || (items.length === 0 && parenthesized)) return { kind: "tuple", items, line };
    if (items.length === 0) throw this.fail(`expected an expression, got '${this.current.text.slice(0, 80)}'`);
    return items[0]!;
  }

  #tupleEnds(): boolean {
    return this.is("/print") || this.is("/block") || this.is("operator", ")");
  }

  /** What is assigned to: a name, a namespace's attribute where allowed, or a tuple of them. */
  target(attributes = false): Target {
    const { line } = this.current;
    const items: Target[] = [];
    let commas = false;
    while (!this.#tupleEnds()) {
      items.push(this.#primaryTarget(attributes));
      if (!this.skip("operator", ",")) break;
      commas = true;
    }
    if (items.length === 0) throw this.fail("expected something to assign to");
    return commas ? { kind: "tuple", items, line } : items[0]!;
  }

  #primaryTarget(attributes: boolean): Target {
    const { line } = this.current;
    if (this.skip("operator", "(")) {
      const inner = this.nested(() => this.target());
      this.expect("operator", ")");
      return inner;
    }
    const name = this.assignable();
    if (!attributes || !this.skip("operator", ".")) return { kind: "name", name, line };
    return { kind: "attribute", name, attribute: this.expect("name").text, line };
  }

  /** A name that is no constant. */
  assignable(): string {
    const name = this.expect("name").text;
    if (name in CONSTANTS) throw this.fail(`can't assign to '${name}'`);
    return name;
  }

  expression(): TemplateExpression {
    return this.nested(() => this.#condition());
  }

  #condition(): TemplateExpression {
    const { line } = this.current;
    let then = this.#or();
    while (this.skip("name", "if")) {
      const test = this.#or();
      const otherwise = this.skip("name", "else") ? this.expression() : undefined;
      then = this.nested(() => ({ kind: "condition", test, then, otherwise, line }));
    }
    return then;
  }

  #or(): TemplateExpression {
    return this.#operands("or", () => this.#operands("and", () => this.#not()));
  }

  #operands(kind: "and" | "or", parse: () => TemplateExpression): TemplateExpression {
    const { line } = this.current;
    const operands = [parse()];
    while (this.skip("name", kind)) operands.push(parse());
    return operands.length === 1 ? operands[0]! : { kind, operands, line };
  }

  #not(): TemplateExpression {
    const { line } = this.current;
    if (!this.skip("name", "not")) return this.#compare();
    return this.nested(() => ({ kind: "not", operand: this.#not(), line }));
  }

  #compare(): TemplateExpression {
    const { line } = this.current;
    const first = this.#binary(["+", "-"], () => this.#concat());
    const rest: [Comparison, TemplateExpression][] = [];
    for (;;) {
      const operator = this.#comparison();
      if (operator === undefined) break;
      rest.push([operator, this.#binary(["+", "-"], () => this.#concat())]);
    }
    return rest.length === 0 ? first : { kind: "compare", first, rest, line };
  }

  #comparison(): Comparison | undefined {
    if (this.is("operator", ...COMPARISONS)) return this.next().text as Comparison;
    if (this.skip("name", "in")) return "in";
    if (!this.is("name", "not") || this.#following.kind !== "name" || this.#following.text !== "in") return undefined;
    this.next();
    this.next();
    return "not in";
  }

  #binary(operators: BinaryOperator[], parse: () => TemplateExpression): TemplateExpression {
    const { line } = this.current;
    const first = parse();
    const rest: [BinaryOperator, TemplateExpression][] = [];
    while (this.is("operator", ...operators)) rest.push([this.next().text as BinaryOperator, parse()]);
    return rest.length === 0 ? first : { kind: "binary", first, rest, line };
  }

  #concat(): TemplateExpression {
    const { line } = this.current;
    const power = () => this.#binary(["**"], () => this.#unary(true));
    const factor = () => this.#binary(["*", "/", "//", "%"], power);
    const items = [factor()];
    while (this.skip("operator", "~")) items.push(factor());
    return items.length === 1 ? items[0]! : { kind: "concat", items, line };
  }

  #unary(filters: boolean): TemplateExpression {
    const { line } = this.current;
    const base = this.is("operator", "+", "-") ? this.#signed() : this.#primary();
    const steps: ChainStep[] = [];
    while (this.is("operator", ".", "[", "(")) steps.push(this.#postfix());
    while (filters && (this.is("operator", "|", "(") || this.is("name", "is"))) {
      if (this.is("operator", "|")) steps.push(...this.filters());
      else steps.push(this.is("name", "is") ? this.#test() : this.#postfix());
    }
    return steps.length === 0 ? base : { kind: "chain", base, steps, line };
  }

  #signed(): TemplateExpression {
    const { line, text } = this.next();
    return this.nested(() => ({ kind: "sign", sign: text as "+" | "-", operand: this.#unary(false), line }));
  }

  #primary(): TemplateExpression {
    const { kind, text, line, value } = this.next();
    if (kind === "name") {
      return text in CONSTANTS
        ? { kind: "constant", value: CONSTANTS[text]!, line }
        : { kind: "name", name: text, line };
    }
    if (kind === "string") {
      const parts = [value as string];
      while (this.is("string")) parts.push(this.next().value as string);
      return { kind: "constant", value: parts.join(""), line };
    }
    if (kind === "integer" || kind === "float") return { kind: "constant", value: value!, line };
    if (kind === "operator") {
      if (text === "(") {
        const inner = this.nested(() => this.tuple(true, true));
        this.expect("operator", ")");
        return inner;
      }
      if (text === "[") return { kind: "list", items: this.#list("]", () => this.expression()), line };
      if (text === "{") return { kind: "dict", entries: this.#list("}", () => this.#entry()), line };
    }
    throw this.fail(`unexpected '${text.slice(0, 80)}'`, line);
  }

  /** Items up to a closing bracket, with commas between them and maybe one behind the last. */
  #list<T>(close: string, parse: () => T): T[] {
    const items: T[] = [];
    while (!this.is("operator", close)) {
      if (items.length > 0) this.expect("operator", ",");
      if (!this.is("operator", close)) items.push(parse());
    }
    this.next();
    return items;
  }

  #entry(): [TemplateExpression, TemplateExpression] {
    const key = this.expression();
    this.expect("operator", ":");
    return [key, this.expression()];
  }

  #postfix(): ChainStep {
    const { line } = this.current;
    if (this.is("operator", "(")) return { kind: "call", with: this.#arguments(), line };
    if (this.skip("operator", "[")) return this.#subscript(line);
    this.next();
    const { kind, text, value } = this.next();
    if (kind === "name") return { kind: "attribute", name: text, line };
    if (kind === "integer") return { kind: "item", index: { kind: "constant", value: value!, line }, line };
    throw this.fail("expected name or number", line);
  }

  #subscript(line: number): ChainStep {
    const items = this.#list("]", () => this.#bounds());
    const [only] = items;
    if (items.length === 1 && Array.isArray(only)) return { kind: "slice", bounds: only, line };
    if (items.some((one) => Array.isArray(one))) throw this.fail("slices within tuples are not supported", line);
    const all = items as TemplateExpression[];
    return { kind: "item", index: all.length === 1 ? all[0]! : { kind: "tuple", items: all, line }, line };
  }

  /** One index, or the bounds of a slice. */
  #bounds(): TemplateExpression | (TemplateExpression | undefined)[] {
    const bound = () => (this.is("operator", ":", "]", ",") ? undefined : this.expression());
    const start = bound();
    if (!this.skip("operator", ":")) {
      if (start === undefined) throw this.fail("expected an index");
      return start;
    }
    const stop = bound();
    return [start, stop, this.skip("operator", ":") ? bound() : undefined];
  }

  #arguments(): Arguments {
    const { line } = this.expect("operator", "(");
    const given: Arguments = { args: [], named: [], list: undefined, dict: undefined };
    const ensure = (fine: boolean) => {
      if (!fine) throw this.fail("invalid syntax for function call expression", line);
    };
    this.#list(")", () => {
      if (this.skip("operator", "*")) {
        ensure(given.list === undefined && given.dict === undefined);
        given.list = this.expression();
      } else if (this.skip("operator", "**")) {
        ensure(given.dict === undefined);
        given.dict = this.expression();
      } else if (this.is("name") && this.#following.kind === "operator" && this.#following.text === "=") {
        ensure(given.dict === undefined);
        const { text } = this.next();
        this.next();
        if (given.named.some(([name]) => name === text)) throw this.fail(`keyword argument repeated: ${text}`, line);
        given.named.push([text, this.expression()]);
      } else {
        ensure(given.list === undefined && given.dict === undefined && given.named.length === 0);
        given.args.push(this.expression());
      }
    });
    return given;
  }

  /** `| name(...)`, as often as it comes; the first without `|` if it stands at the start of a block. */
  filters(atStart = false): ChainStep[] {
    const steps: ChainStep[] = [];
    while ((atStart && steps.length === 0) || this.is("operator", "|")) {
      if (!atStart || steps.length > 0) this.next();
      const { line } = this.current;
      steps.push({ kind: "filter", name: this.#dotted(), with: this.#optionalArguments(), line });
    }
    return steps;
  }

  #dotted(): string {
    let name = this.expect("name").text;
    while (this.skip("operator", ".")) name += `.${this.expect("name").text}`;
    return name;
  }

  #optionalArguments(): Arguments {
    return this.is("operator", "(") ? this.#arguments() : { args: [], named: [], list: undefined, dict: undefined };
  }

  #test(): ChainStep {
    const { line } = this.next();
    const negated = this.skip("name", "not");
    const name = this.#dotted();
    const called = this.is("operator", "(");
    const given = this.#optionalArguments();
    const literal = this.is("string") || this.is("integer") || this.is("float") || this.is("operator", "[", "{");
    if (!called && (literal || (this.is("name") && !this.is("name", "else", "or", "and")))) {
      if (this.is("name", "is")) throw this.fail("You cannot chain multiple tests with is");
      given.args.push(this.#bareArgument());
    }
    return { kind: "test", name, with: given, negated, line };
  }

  #bareArgument(): TemplateExpression {
    const { line } = this.current;
    const base = this.#primary();
    const steps: ChainStep[] = [];
    while (this.is("operator", ".", "[", "(")) steps.push(this.#postfix());
    return steps.length === 0 ? base : { kind: "chain", base, steps, line };
  }
}
