// Recorded answers, and what a suite makes of them.

import { ZagreusError } from "../../../core/api/errors.js";
import { isObject } from "../../../core/api/json.js";
import { plain } from "../python.js";
import type { ToolSuite } from "./cases.js";
import { grade } from "./grade.js";

/** By case, by variant. */
export type Answers = Map<string, Map<string, string>>;

/** The marks of one variant. */
export interface Marks {
  /** Cases that pass. */
  total: number;
  /** Of them in each language, IT and EN. */
  [language: string]: unknown;
  categories: Record<string, number>;
  /** Ids of the cases that pass. */
  passed: string[];
  /** [name, arguments] of the calls in each answer that has some. */
  calls: Record<string, [unknown, unknown][]>;
}

/**
 * Lines of `{variant, id, answer}`; other members are passed over.
 * @throws ZagreusError BAD_JSON with the line
 */
export function readAnswers(file: string, text: string, { cases }: ToolSuite): Answers {
  const ids = new Set(cases.map(({ id }) => id));
  const answers: Answers = new Map();
  text.split("\n").forEach((line, i) => {
    if (line.trim() === "") return;
    try {
      const json: unknown = JSON.parse(line);
      if (!isObject(json)) throw new Error("it must be an object");
      const { variant = "answers", id, answer } = json;
      for (const [name, value] of Object.entries({ variant, id, answer })) {
        if (typeof value !== "string") throw new Error(`"${name}" must be a string`);
      }
      if (!ids.has(id as string)) throw new Error(`the suite has no case "${id}"`);
      const given = answers.get(variant as string) ?? new Map<string, string>();
      if (given.has(id as string)) throw new Error(`"${variant}" has answered "${id}" before`);
      answers.set(variant as string, given.set(id as string, answer as string));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ZagreusError("BAD_JSON", `${file}, line ${i + 1}: ${reason}`, { field: file, value: i + 1, cause });
    }
  });
  if (answers.size === 0) throw new ZagreusError("BAD_JSON", `${file} has no answers`, { field: file });
  return answers;
}

/** A case without an answer does not pass. */
export function marks({ cases }: ToolSuite, answers: ReadonlyMap<string, string>): Marks {
  const passed: string[] = [];
  const calls: Marks["calls"] = {};
  for (const { id, spec } of cases) {
    const answer = answers.get(id);
    if (answer === undefined) continue;
    const graded = grade(spec, answer);
    if (graded.passed) passed.push(id);
    if (graded.calls.length > 0) calls[id] = graded.calls.map((call) => [plain(call.name), plain(call.arguments)]);
  }
  const counts = countCases(
    cases.filter(({ id }) => passed.includes(id)),
    cases,
  );
  return { ...counts, passed, calls };
}

/** How many cases there are in all, in each language and in each category of `all`. */
export function countCases(cases: ToolSuite["cases"], all = cases) {
  const count = (key: "lang" | "cat") =>
    Object.fromEntries(
      [...new Set(all.map((item) => item[key]))].map((value) => [
        value,
        cases.filter((item) => item[key] === value).length,
      ]),
    );
  return { total: cases.length, ...count("lang"), categories: count("cat") };
}
