// How a tokenizer.json of byte-level BPE cuts a text, as a row of layout/splitters.ts.

import { PATTERNS, SPLITTERS } from "../../assembly/layout/splitters.js";
import { ZagreusError } from "../../host/core/api/errors.js";
import { type Fields, isObject } from "../../host/core/api/json.js";

const TOKENIZER = "tokenizer.json";
/** What ByteLevel's own regular expression is. */
const BYTE_LEVEL = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const NUMBERS: Record<string, string> = { 1: "\\p{N}", 3: "\\p{N}{1,3}" };

/** Pre-tokenizers: what tokenizer.ggml.pre calls them, and their data. */
export const PRE_TOKENIZERS = [...SPLITTERS.matchAll(/^(.+)\n(.+)$/gm)].map(([, names, data]) => {
  const list = names!.split(" ");
  return { name: list[0]!, names: list, data: data! };
});

interface Way {
  /** The first data of a row. */
  data: string;
  /** Regular expressions, one behind the other. */
  steps: string[];
}

/** Ways to cut a text that the core knows. */
const WAYS: readonly Way[] = [...PATTERNS.matchAll(/^(.+)\n(.+)$/gm)].map(([, data, pattern]) => {
  const numbersFirst = data!.endsWith(" first");
  return { data: data!, steps: numbersFirst ? [NUMBERS[data![0]!]!, pattern!] : [pattern!] };
});

/** What tokenizer.ggml.pre calls the pre-tokenizer of byte-level BPE. @throws ZagreusError UNSUPPORTED_TOKENIZER naming what differs */
export function readPreTokenizer(tokenizer: Fields): string {
  const steps = readSteps(tokenizer).flatMap(patternOf);
  const ways = WAYS.filter((way) => way.steps.join("\n") === steps.join("\n"));
  if (ways.length === 0) throw unsupported("pre_tokenizer.pattern", steps, [...new Set(WAYS.map((way) => way.steps))]);
  const words = tokenizer.object("model").get("ignore_merges") === true ? "whole" : "-";
  const rows = PRE_TOKENIZERS.filter(({ data }) => ways.some((way) => data.startsWith(`${way.data} `)));
  const row = rows.find(({ data }) => data.split(" ")[5] === words);
  if (!row) throw unsupported("model.ignore_merges", words === "whole", words !== "whole");
  return row.name;
}

/** The steps of a sequence, or the one step. */
function readSteps(tokenizer: Fields): Record<string, unknown>[] {
  const splitter = tokenizer.get("pre_tokenizer");
  if (!isObject(splitter)) throw unsupported("pre_tokenizer.type", undefined, ["Sequence", "ByteLevel"]);
  const sequence = splitter.type === "Sequence" && Array.isArray(splitter.pretokenizers);
  const steps = sequence ? (splitter.pretokenizers as unknown[]).filter(isObject) : [splitter];
  const types = steps.map(({ type }) => type);
  const known = ["Split", "Digits", "ByteLevel"];
  if (types.every((type) => known.includes(String(type))) && types.indexOf("ByteLevel") === types.length - 1) {
    return steps;
  }
  if (!sequence) throw unsupported("pre_tokenizer.type", splitter.type, ["Sequence", "ByteLevel"]);
  throw unsupported(
    "pre_tokenizer.pretokenizers",
    types,
    `${known.slice(0, 2).join(" or ")}, and ByteLevel at the end`,
  );
}

/** The regular expression of a step; none for bytes alone. */
function patternOf(step: Record<string, unknown>): string[] {
  if (step.type === "Digits") return [step.individual_digits === true ? NUMBERS[1]! : "\\p{N}+"];
  if (step.type === "ByteLevel") {
    check("pre_tokenizer.add_prefix_space", step.add_prefix_space, false);
    return step.use_regex === false ? [] : [BYTE_LEVEL];
  }
  check("pre_tokenizer.behavior", step.behavior, "Isolated");
  check("pre_tokenizer.invert", step.invert ?? false, false);
  if (isObject(step.pattern) && typeof step.pattern.Regex === "string") return [step.pattern.Regex];
  throw unsupported("pre_tokenizer.pattern", step.pattern, { Regex: "..." });
}

/** @throws ZagreusError UNSUPPORTED_TOKENIZER when a field has another value */
export function check(field: string, value: unknown, expected: unknown): void {
  if (JSON.stringify(value) !== JSON.stringify(expected)) throw unsupported(field, value, expected);
}

export function unsupported(field: string, value: unknown, expected: unknown): ZagreusError {
  const shown = JSON.stringify(value)?.slice(0, 120) ?? "absent";
  const message = `${TOKENIZER}: "${field}" is ${shown}, must be ${JSON.stringify(expected)}`;
  return new ZagreusError("UNSUPPORTED_TOKENIZER", message, { field, value, expected });
}
