// What a template is made of. Chains of operators and of postfixes are flat, so that only brackets and blocks nest.

import type { BinaryOperator, Comparison } from "./python/operators.js";
import type { Value } from "./python/values.js";

export interface Arguments {
  args: Expression[];
  named: [name: string, value: Expression][];
  /** *args */
  list: Expression | undefined;
  /** **kwargs */
  dict: Expression | undefined;
}

/** What may follow a value. */
export type ChainStep = { line: number } & (
  | { kind: "attribute"; name: string }
  | { kind: "item"; index: Expression }
  | { kind: "slice"; bounds: (Expression | undefined)[] }
  | { kind: "call"; with: Arguments }
  | { kind: "filter"; name: string; with: Arguments }
  | { kind: "test"; name: string; with: Arguments; negated: boolean }
);

export type Expression = { line: number } & (
  | { kind: "constant"; value: Value }
  | { kind: "name"; name: string }
  | { kind: "list" | "tuple" | "concat"; items: Expression[] }
  | { kind: "dict"; entries: [key: Expression, value: Expression][] }
  | { kind: "chain"; base: Expression; steps: ChainStep[] }
  | { kind: "binary"; first: Expression; rest: [operator: BinaryOperator, operand: Expression][] }
  | { kind: "compare"; first: Expression; rest: [operator: Comparison, operand: Expression][] }
  | { kind: "and" | "or"; operands: Expression[] }
  | { kind: "not"; operand: Expression }
  | { kind: "sign"; sign: "+" | "-"; operand: Expression }
  | { kind: "condition"; test: Expression; then: Expression; otherwise: Expression | undefined }
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
  defaults: Expression[];
  body: Statement[];
  names: Names;
  /** Which of caller, kwargs and varargs the body uses. */
  uses: Set<string>;
}

export type Statement = { line: number } & (
  | { kind: "output"; parts: (string | Expression)[] }
  | { kind: "if"; branches: { test: Expression; body: Statement[] }[]; otherwise: Statement[] }
  | {
      kind: "for";
      target: Target;
      items: Expression;
      test: Expression | undefined;
      recursive: boolean;
      body: Statement[];
      otherwise: Statement[];
      bodyNames: Names;
      otherwiseNames: Names;
      testNames: Names;
    }
  | { kind: "set"; target: Target; value: Expression }
  | { kind: "capture"; target: Target; filters: ChainStep[]; body: Statement[]; names: Names }
  | { kind: "with"; targets: Target[]; values: Expression[]; body: Statement[]; names: Names }
  | { kind: "filter"; filters: ChainStep[]; body: Statement[]; names: Names }
  | { kind: "macro"; macro: MacroParts }
  | { kind: "call"; call: Expression & { kind: "chain" }; macro: MacroParts }
  | { kind: "generation"; macro: MacroParts }
  | { kind: "break" | "continue" }
);

export interface Program {
  body: Statement[];
  names: Names;
}
