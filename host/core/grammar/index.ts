// Constrains what a model writes.

import type { ResponseFormat } from "../api/api.js";
import { type Constraint, GrammarConstraint } from "./constraint.js";
import { PreparedGrammar } from "./prepared.js";
import { asSchema } from "./schema/errors.js";
import { schemaToGrammar } from "./schema.js";
import type { Vocabulary } from "./vocabulary.js";

export type { Constraint } from "./constraint.js";
export { schemaToGrammar } from "./schema.js";
export { type Vocabulary, vocabularyOf } from "./vocabulary.js";

/** Grammars that are kept for each vocabulary, and the most of them. */
const prepared = new WeakMap<Vocabulary, Map<string, PreparedGrammar>>();
const MOST_PREPARED = 8;

/** Undefined for "text". @throws ZagreusError BAD_SCHEMA, BAD_GRAMMAR */
export function createConstraint(format: ResponseFormat, vocabulary: Vocabulary): Constraint | undefined {
  switch (format.type) {
    case "text":
      return undefined;
    case "json_object":
      return constraint(schemaToGrammar({ type: "object" }, "root"), "", vocabulary);
    case "json_schema":
      return asSchema(() => constraint(schemaToGrammar(format.schema, "root"), "", vocabulary));
    case "grammar":
      return constraint(format.grammar, format.trigger ?? "", vocabulary);
  }
}

function constraint(grammar: string, trigger: string, vocabulary: Vocabulary): Constraint {
  const kept = prepared.get(vocabulary) ?? new Map<string, PreparedGrammar>();
  prepared.set(vocabulary, kept);
  const key = `${trigger}\0${grammar}`;
  const found = kept.get(key) ?? new PreparedGrammar(grammar, trigger, vocabulary);
  kept.delete(key);
  kept.set(key, found); // the last one used comes last
  for (const oldest of kept.keys()) {
    if (kept.size <= MOST_PREPARED) break;
    kept.delete(oldest);
  }
  return new GrammarConstraint(found);
}
