// Texts of a regular language, as they stand between the quotes of a JSON string: a rule for each state that several lead to.

import { ANY_CHARACTER, type Range } from "../../shared/ranges.js";
import { Rest, type Steps } from "../../shared/slices.js";
import type { Edge, Language } from "../regular/language.js";
import type { Expression } from "../regular/pattern.js";
import { choice, jsonChar, repeat } from "./gbnf_text.js";

/** Where rules are written. */
interface RuleBook {
  /** A new name for a rule that is going to be defined. */
  reserve(): string;
  define(name: string, body: string): void;
  /** The name of a rule with this body. */
  rule(body: string): string;
}

/** States in one rule behind each other. */
const MAX_INLINE = 20;
/** States with a rule of their own between two steps. */
const STATES_PER_STEP = 100;

export function* languageText({ edges, accepts }: Language, rules: RuleBook): Steps<string> {
  const entered = edges.map(() => 0);
  edges.forEach((list) => {
    for (const to of targetsOf(list)) entered[to]!++;
  });
  const names = new Map<number, string>();
  const open: number[] = [];
  const nameOf = (state: number): string => {
    let name = names.get(state);
    if (name === undefined) {
      name = rules.reserve();
      names.set(state, name);
      open.push(state);
    }
    return name;
  };
  const body = (state: number, depth: number): string => {
    const list = edges[state]!;
    if (list.length > 0 && accepts[state] && list.every(({ to }) => to === state)) return `${charOf(list, rules)}*`;
    const ways = [...targetsOf(list)].map((to) => {
      const char = charOf(
        list.filter((edge) => edge.to === to),
        rules,
      );
      if (edges[to]!.length === 0) return char;
      const isInline = entered[to] === 1 && to !== 0 && depth < MAX_INLINE;
      return `${char} ${isInline ? `(${body(to, depth + 1)})` : nameOf(to)}`;
    });
    return [...ways, ...(accepts[state] ? ['""'] : [])].join(" | ");
  };
  const start = nameOf(0);
  const rest = new Rest(STATES_PER_STEP);
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    rules.define(names.get(state)!, body(state, 0));
    yield* rest.after(1);
  }
  return start;
}

const targetsOf = (list: readonly Edge[]): Set<number> => new Set(list.map(({ to }) => to));
const charOf = (list: readonly Edge[], rules: RuleBook): string =>
  charText(
    list.map(({ first, last }): Range => [first, last]),
    rules,
  ) ?? "[]"; // half of a surrogate pair, which only a name that is given can have

/** Characters of a class that is written out; larger ones have a rule, as each takes many states. */
const MAX_CLASS = 400;

function charText(ranges: readonly Range[], rules: RuleBook): string | undefined {
  const char = jsonChar(ranges);
  return char !== undefined && char.length > MAX_CLASS ? rules.rule(char) : char;
}

/** Texts of an expression, with how many characters they have. */
export interface Text {
  grammar: string;
  min: number;
  max: number;
  /** Set where the whole is this character so often. */
  repeated?: { char: string; min: number; max: number } | undefined;
}

/** The texts in which an expression is found, as one grammar; undefined where it takes a language to say it. */
export function plainText(expression: Expression, rules: RuleBook): Text | undefined {
  const options = expression.type === "choice" ? expression.options : [expression];
  const texts = options.map((option) => searched(option, rules));
  return texts.every((text) => text !== undefined) ? either(texts) : undefined;
}

function searched(expression: Expression, rules: RuleBook): Text | undefined {
  const parts = expression.type === "sequence" ? expression.parts : [expression];
  const [fromStart, toEnd] = [parts[0]?.type === "start", parts.at(-1)?.type === "end"];
  const middle = parts.slice(fromStart ? 1 : 0, toEnd ? -1 : undefined);
  const text = textOf({ type: "sequence", parts: middle }, rules);
  if (!text || (fromStart && toEnd)) return text;
  const any = repeat(jsonChar(ANY_CHARACTER)!, 0);
  const grammar = [fromStart ? "" : any, text.grammar, toEnd ? "" : any].filter(Boolean).join(" ");
  return { grammar, min: text.min, max: Number.POSITIVE_INFINITY };
}

function textOf(expression: Expression, rules: RuleBook): Text | undefined {
  switch (expression.type) {
    case "chars": {
      const grammar = charText(expression.ranges, rules);
      return grammar === undefined
        ? undefined
        : { grammar, min: 1, max: 1, repeated: { char: grammar, min: 1, max: 1 } };
    }
    case "sequence":
      return sequence(expression.parts.map((part) => textOf(part, rules)));
    case "choice": {
      const texts = expression.options.map((option) => textOf(option, rules));
      return texts.every((text) => text !== undefined) ? either(texts) : undefined;
    }
    case "repeat": {
      const inner = textOf(expression.inner, rules);
      return inner && repeatedText(inner, expression.min, expression.max);
    }
    default:
      return undefined;
  }
}

function sequence(texts: readonly (Text | undefined)[]): Text | undefined {
  const [first, ...more] = texts;
  if (first && more.length === 0) return first;
  let [min, max] = [0, 0];
  const grammars: string[] = [];
  for (const text of texts) {
    if (!text) return undefined;
    min += text.min;
    max += text.max;
    grammars.push(text.grammar);
  }
  return { grammar: grammars.join(" ") || '""', min, max };
}

function either(texts: readonly Text[]): Text {
  if (texts.length === 1) return texts[0]!;
  return {
    grammar: choice(texts.map(({ grammar }) => grammar))!,
    min: Math.min(...texts.map(({ min }) => min)),
    max: Math.max(...texts.map(({ max }) => max)),
  };
}

function repeatedText({ grammar, min, max, repeated }: Text, least: number, most: number): Text {
  const isChar = repeated?.min === 1 && repeated.max === 1;
  return {
    grammar: repeat(grammar, least, most),
    min: min * least,
    max: max === 0 || most === 0 ? 0 : max * most,
    repeated: isChar ? { char: repeated.char, min: least, max: most } : undefined,
  };
}
