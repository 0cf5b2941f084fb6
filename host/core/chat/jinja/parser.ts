// Jinja's statements, after jinja2/parser.py.

import type { MacroParts, Program, Statement, Target, TemplateExpression } from "./ast.js";
import { ExpressionParser } from "./expressions.js";
import type { Token } from "./lexer.js";

/** Tags of Jinja that need more than one template, or escape. */
const LEFT_OUT = ["autoescape", "block", "extends", "from", "import", "include"];

/** Python compiles no more within each other. */
const MAX_LOOPS = 20;

/** The names of scopes are not filled in. @throws TemplateError with the line of the mistake, or of what is not supported */
export function parse(tokens: Token[]): Program {
  return { body: new TemplateParser(tokens).template(), names: new Map() };
}

class TemplateParser extends ExpressionParser {
  /** Loops around, within the innermost macro. */
  #loops = 0;

  template(): Statement[] {
    return this.#statements([]);
  }

  /** Up to a block that begins with one of `ends`, or to the end of the template. Stops behind that word. */
  #statements(ends: string[]): Statement[] {
    const body: Statement[] = [];
    for (;;) {
      const { line, kind, text } = this.next();
      if (kind === "end") {
        if (ends.length === 0) return body;
        throw this.fail(`unexpected end of template, expected ${ends.join(" or ")}`);
      }
      if (kind === "data") this.#output(body, line, text);
      else if (kind === "print") {
        this.#output(body, line, this.tuple());
        this.expect("/print");
      } else {
        if (this.is("name", ...ends) && ends.length > 0) return body;
        body.push(this.nested(() => this.#statement()));
        this.expect("/block");
      }
    }
  }

  #output(body: Statement[], line: number, part: string | TemplateExpression): void {
    const last = body.at(-1);
    if (last?.kind === "output") last.parts.push(part);
    else body.push({ kind: "output", parts: [part], line });
  }

  /** The statements of a block, from behind its head to behind its `end`. */
  #body(end: string): Statement[] {
    const body = this.#bodyTo([end]);
    this.next();
    return body;
  }

  #bodyTo(ends: string[]): Statement[] {
    this.skip("operator", ":");
    this.expect("/block");
    return this.#statements(ends);
  }

  #statement(): Statement {
    const { text, line } = this.expect("name");
    switch (text) {
      case "if":
        return this.#if(line);
      case "for":
        return this.#for(line);
      case "set":
        return this.#set(line);
      case "macro":
        return { kind: "macro", macro: this.#macro(this.assignable(), "endmacro"), line };
      case "call":
        return this.#call(line);
      case "filter":
        return { kind: "filter", filters: this.filters(true), body: this.#body("endfilter"), names: new Map(), line };
      case "with":
        return this.#with(line);
      case "print":
        return this.#print(line);
      case "generation":
        return { kind: "generation", macro: this.#inMacro(undefined, [], [], "endgeneration"), line };
      case "break":
      case "continue":
        if (this.#loops === 0) throw this.fail(`'${text}' outside of a loop`, line);
        return { kind: text, line };
      default:
        if (LEFT_OUT.includes(text)) throw this.fail(`the tag "${text}" is not supported`, line);
        throw this.fail(`unknown tag '${text.slice(0, 80)}'`, line);
    }
  }

  #if(line: number): Statement {
    const branches: { test: TemplateExpression; body: Statement[] }[] = [];
    let otherwise: Statement[] = [];
    do {
      const test = this.tuple(false);
      branches.push({ test, body: this.#bodyTo(["elif", "else", "endif"]) });
    } while (this.skip("name", "elif"));
    if (this.skip("name", "else")) otherwise = this.#bodyTo(["endif"]);
    this.expect("name", "endif");
    return { kind: "if", branches, otherwise, line };
  }

  #for(line: number): Statement {
    const target = this.target();
    this.expect("name", "in");
    const items = this.tuple(false);
    const test = this.skip("name", "if") ? this.expression() : undefined;
    const recursive = this.skip("name", "recursive");
    if (++this.#loops > MAX_LOOPS) throw this.fail(`more than ${MAX_LOOPS} loops within each other`, line);
    const body = this.#bodyTo(["endfor", "else"]);
    this.#loops--;
    const otherwise = this.skip("name", "else") ? this.#bodyTo(["endfor"]) : [];
    this.expect("name", "endfor");
    const names = { bodyNames: new Map(), otherwiseNames: new Map(), testNames: new Map() };
    return { kind: "for", target, items, test, recursive, body, otherwise, ...names, line };
  }

  #set(line: number): Statement {
    const target = this.target(true);
    if (this.skip("operator", "=")) return { kind: "set", target, value: this.tuple(), line };
    const filters = this.filters();
    return { kind: "capture", target, filters, body: this.#body("endset"), names: new Map(), line };
  }

  #with(line: number): Statement {
    const targets: Target[] = [];
    const values: TemplateExpression[] = [];
    while (!this.is("/block")) {
      if (targets.length > 0) this.expect("operator", ",");
      targets.push(this.target());
      this.expect("operator", "=");
      values.push(this.expression());
    }
    return { kind: "with", targets, values, body: this.#body("endwith"), names: new Map(), line };
  }

  #print(line: number): Statement {
    const parts: TemplateExpression[] = [];
    while (!this.is("/block")) {
      if (parts.length > 0) this.expect("operator", ",");
      parts.push(this.expression());
    }
    return { kind: "output", parts, line };
  }

  #call(line: number): Statement {
    const { parameters, defaults } = this.is("operator", "(") ? this.#signature() : { parameters: [], defaults: [] };
    const call = this.expression();
    if (call.kind !== "chain" || call.steps.at(-1)!.kind !== "call") throw this.fail("expected call", line);
    return { kind: "call", call, macro: this.#inMacro(undefined, parameters, defaults, "endcall"), line };
  }

  #macro(name: string, end: string): MacroParts {
    const { parameters, defaults } = this.#signature();
    return this.#inMacro(name, parameters, defaults, end);
  }

  #inMacro(name: string | undefined, parameters: string[], defaults: TemplateExpression[], end: string): MacroParts {
    const outside = this.#loops;
    this.#loops = 0;
    const body = this.#body(end);
    this.#loops = outside;
    return { name, parameters, defaults, body, names: new Map(), uses: new Set() };
  }

  #signature(): { parameters: string[]; defaults: TemplateExpression[] } {
    const parameters: string[] = [];
    const defaults: TemplateExpression[] = [];
    this.expect("operator", "(");
    while (!this.is("operator", ")")) {
      if (parameters.length > 0) this.expect("operator", ",");
      const name = this.assignable();
      if (parameters.includes(name)) throw this.fail(`duplicate argument '${name}'`);
      parameters.push(name);
      if (this.skip("operator", "=")) defaults.push(this.expression());
      else if (defaults.length > 0) throw this.fail("non-default argument follows default argument");
    }
    this.next();
    return { parameters, defaults };
  }
}
