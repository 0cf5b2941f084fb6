// Constrains what a model writes.

import type { JsonSchema, ResponseFormat } from "../api/api.js";
import { invalidOption } from "../api/errors.js";
import { compile } from "./automaton.js";
import { writeCompiled } from "./compiled.js";
import { type Constraint, GrammarConstraint } from "./constraint.js";
import { parseGrammar } from "./gbnf.js";
import { PreparedGrammar } from "./prepared.js";
import { schemaToGrammar } from "./schema/index.js";
import { asSchema } from "./schema/read/errors.js";
import type { Steps } from "./shared/slices.js";
import type { Vocabulary } from "./vocabulary.js";

export type { Constraint } from "./constraint.js";
export { schemaToGrammar } from "./schema/index.js";
export { finish, finishInSlices, type Steps } from "./shared/slices.js";
export { type Vocabulary, vocabularyOf } from "./vocabulary.js";

/** Grammars that are kept for each vocabulary, and the most of them. */
const prepared = new WeakMap<Vocabulary, Map<string, PreparedGrammar>>();
const MOST_PREPARED = 8;

/** Undefined for "text". @throws ZagreusError BAD_SCHEMA, BAD_GRAMMAR */
export function* createConstraint(format: ResponseFormat, vocabulary: Vocabulary): Steps<Constraint | undefined> {
  switch (format.type) {
    case "text":
      return undefined;
    case "json_object":
      return yield* fromSchema({ type: "object" }, vocabulary);
    case "json_schema":
      return yield* fromSchema(format.schema, vocabulary);
    case "grammar":
      return yield* fromGrammar(format.grammar, format.trigger ?? "", vocabulary, format.prefix);
  }
}

/** A format as bytes for zagreus.wasm. @throws ZagreusError BAD_SCHEMA, BAD_GRAMMAR, INVALID_OPTION for what is no grammar of its own */
export function* compileFormat(format: ResponseFormat, { missing }: Vocabulary): Steps<Uint8Array> {
  switch (format.type) {
    case "text":
      throw invalidOption("format", format.type, "a schema or a grammar");
    case "json_object":
      return yield* compileSchema({ type: "object" }, missing);
    case "json_schema":
      return yield* compileSchema(format.schema, missing);
    case "grammar": {
      const { trigger, prefix } = format;
      if (trigger || prefix) throw invalidOption("format", trigger || prefix, "a grammar without trigger and prefix");
      return yield* compileGrammar(format.grammar, missing);
    }
  }
}

function* compileSchema(schema: JsonSchema, missing: ReadonlySet<number>): Steps<Uint8Array> {
  return yield* asSchema(compileGrammar(yield* schemaToGrammar(schema, "root"), missing));
}

function* compileGrammar(grammar: string, missing: ReadonlySet<number>): Steps<Uint8Array> {
  return writeCompiled(yield* compile(yield* parseGrammar(grammar), new Uint8Array(), missing), missing);
}

function* fromSchema(schema: JsonSchema, vocabulary: Vocabulary): Steps<Constraint> {
  const grammar = yield* schemaToGrammar(schema, "root");
  return yield* asSchema(fromGrammar(grammar, "", vocabulary));
}

function* fromGrammar(grammar: string, trigger: string, vocabulary: Vocabulary, prefix = ""): Steps<Constraint> {
  const kept = prepared.get(vocabulary) ?? new Map<string, PreparedGrammar>();
  prepared.set(vocabulary, kept);
  const key = `${trigger}\0${grammar}`;
  const found = kept.get(key) ?? (yield* PreparedGrammar.prepare(grammar, trigger, vocabulary));
  kept.delete(key);
  kept.set(key, found); // the last one used comes last
  for (const oldest of kept.keys()) {
    if (kept.size <= MOST_PREPARED) break;
    kept.delete(oldest);
  }
  return new GrammarConstraint(found, prefix);
}
