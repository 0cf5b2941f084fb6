// Regular expressions as grammars.

import { patternLanguage } from "../../grammar/schema/regular/index.js";
import { parsePattern } from "../../grammar/schema/regular/pattern.js";
import { charClass } from "../../grammar/schema/write/gbnf_text.js";
import type { Range } from "../../grammar/shared/ranges.js";
import type { Steps } from "../../grammar/shared/slices.js";

const HALVES: Range = [0xd800, 0xdfff];

/**
 * The texts that match from their beginning to their end: a rule for every state of the automaton.
 * @throws ZagreusError BAD_SCHEMA for what is not understood, such as references back
 */
export function* regexpGrammar(source: string): Steps<string> {
  const { edges, accepts } = yield* patternLanguage(anchored(source), "responseConstraint");
  const rules = edges.map((list, state) => {
    const targets = [...new Set(list.map(({ to }) => to))];
    const ways = targets.map((to) => {
      const ranges = list.filter((edge) => edge.to === to).flatMap(({ first, last }) => whole([first, last]));
      return `${charClass(ranges)} ${name(to)}`;
    });
    return `${name(state)} ::= ${[...ways, ...(accepts[state] ? ['""'] : [])].join(" | ") || "[]"}`;
  });
  return rules.join("\n");
}

/** The pattern between ^ and $, each once where it can be, as lookaround is understood at the start only. */
function anchored(source: string): string {
  const expression = parsePattern(source, "responseConstraint");
  const parts = expression.type === "sequence" ? expression.parts : [expression];
  if (parts[0]?.type !== "start") return `^(?:${source})$`;
  return parts.at(-1)?.type === "end" ? source : `${source}$`;
}

const name = (state: number): string => (state === 0 ? "root" : `state-${state}`);

/** What of a range is no half of a surrogate pair, which UTF-8 does not have. */
function whole([first, last]: Range): Range[] {
  const below: Range = [first, Math.min(last, HALVES[0] - 1)];
  const above: Range = [Math.max(first, HALVES[1] + 1), last];
  return [below, above].filter(([from, to]) => from <= to);
}
