// What a template is made of. Chains of operators and of postfixes are flat, so that only brackets and blocks nest.

import type { BinaryOperator, Comparison } from "./python/operators.js";
import type { Value } from "./python/values.js";

export interface Arguments {
  args: TemplateExpression[];
  named: [name: string, value: TemplateExpression][];
  /** *args */
  list: TemplateExpression | undefined;
  /** **kwargs */
  dict: TemplateExpression | undefined;
}

/** What may follow a value. */
export type ChainStep = { line: number } & (
  | { kind: "attribute"; name: string }
  | { kind: "item"; index: TemplateExpression }
  | { kind: "slice"; bounds: (TemplateExpression | undefined)[] }
  | { kind: "call"; with: Arguments }
  | { kind: "filter"; name: string; with: Arguments }
  | { kind: "test"; name: string; with: Arguments; negated: boolean }
);

export type TemplateExpression = { line: number } & (
  | { kind: "constant"; value: Value }
  | { kind: "name"; name: string }
  | { kind: "list" | "tuple" | "concat"; items: TemplateExpression[] }
  | { kind: "dict"; entries: [key: TemplateExpression, value: TemplateExpression][] }
  | { kind: "chain"; base: TemplateExpression; steps: ChainStep[] }
  | { kind: "binary"; first: TemplateExpression; rest: [operator: BinaryOperator, operand: TemplateExpression][] }
  | { kind: "compare"; first: TemplateExpression; rest: [operator: Comparison, operand: TemplateExpression][] }
  | { kind: "and" | "or"; operands: TemplateExpression[] }
  | { kind: "not"; operand: TemplateExpression }
  | { kind: "sign"; sign: "+" | "-"; operand: TemplateExpression }
  | { kind: "condition"; test: TemplateExpression; then: TemplateExpression; otherwise: TemplateExpression | undefined }
);

export type Target = { line: number } & (
  | { kind: "name"; name: string }
  | { kind: "attribute"; name: string; attribute: string }
  | { kind: "tuple"; items: Target[] }
);

/** Where a scope takes a name from when it is entered (scope.ts). */
export type NameOrigin = "parameter" | "context" | "outer" | "nothing";
/** The names that a scope has of its own. */
export type Names = Map<string, NameOrigin>;

export interface MacroParts {
  name: string | undefined;
  parameters: string[];
  /** Of the last parameters. */
  defaults: TemplateExpression[];
  body: Statement[];
  names: Names;
  /** Which of caller, kwargs and varargs the body uses. */
  uses: Set<string>;
}

export type Statement = { line: number } & (
  | { kind: "output"; parts: (string | TemplateExpression)[] }
  | { kind: "if"; branches: { test: TemplateExpression; body: Statement[] }[]; otherwise: Statement[] }
  | {
      kind: "for";
      target: Target;
      items: TemplateExpression;
      test: TemplateExpression | undefined;
      recursive: boolean;
      body: Statement[];
      otherwise: Statement[];
      bodyNames: Names;
      otherwiseNames: Names;
      testNames: Names;
    }
  | { kind: "set"; target: Target; value: TemplateExpression }
  | { kind: "capture"; target: Target; filters: ChainStep[]; body: Statement[]; names: Names }
  | { kind: "with"; targets: Target[]; values: TemplateExpression[]; body: Statement[]; names: Names }
  | { kind: "filter"; filters: ChainStep[]; body: Statement[]; names: Names }
  | { kind: "macro"; macro: MacroParts }
  | { kind: "call"; call: TemplateExpression & { kind: "chain" }; macro: MacroParts }
  | { kind: "generation"; macro: MacroParts }
  | { kind: "break" | "continue" }
);

export interface Program {
  body: Statement[];
  names: Names;
}
