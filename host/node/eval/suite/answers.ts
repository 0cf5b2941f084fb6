// Recorded answers, and what a suite makes of them.

import { ZagreusError } from "../../../core/api/errors.js";
import { isObject } from "../../../core/api/json.js";
import { plain } from "../python.js";
import type { Conversation, ToolSuite } from "./cases.js";
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

/** A line of recorded answers. */
export interface Recorded {
  variant: string;
  id: string;
  answer: string;
  /** Whether it ended at the most tokens that there may be. */
  cut: boolean;
}

/**
 * Lines of `{variant, id, answer}`; other members are passed over.
 * @throws ZagreusError BAD_JSON with the line
 */
export function readAnswers(file: string, text: string, { cases }: ToolSuite): Answers {
  const ids = new Set(cases.map(({ id }) => id));
  const answers: Answers = new Map();
  for (const { variant, id, answer } of readLines(file, text, ({ id }) => ids.has(id), "case")) {
    answers.set(variant, (answers.get(variant) ?? new Map()).set(id, answer));
  }
  return answers;
}

/**
 * Lines of `{variant, id, answer, cut}` with the language as variant and the conversation's name as id, as --out writes them.
 * @throws ZagreusError BAD_JSON with the line
 */
export function readReplies(file: string, text: string, all: readonly Conversation[]): Recorded[] {
  const asked = new Set(all.map(({ lang, name }) => `${lang}\0${name}`));
  return readLines(file, text, ({ variant, id }) => asked.has(`${variant}\0${id}`), "conversation");
}

function readLines(file: string, text: string, isAsked: (line: Recorded) => boolean, what: string): Recorded[] {
  const lines = new Map<string, Recorded>();
  text.split("\n").forEach((line, i) => {
    if (line.trim() === "") return;
    try {
      const json: unknown = JSON.parse(line);
      if (!isObject(json)) throw new Error("it must be an object");
      const { variant = "answers", id, answer, cut } = json;
      for (const [name, value] of Object.entries({ variant, id, answer })) {
        if (typeof value !== "string") throw new Error(`"${name}" must be a string`);
      }
      const read = { variant, id, answer, cut: cut === true } as Recorded;
      if (!isAsked(read)) throw new Error(`the suite has no ${what} "${id}"`);
      const key = `${variant}\0${id}`;
      if (lines.has(key)) throw new Error(`"${variant}" has answered "${id}" before`);
      lines.set(key, read);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ZagreusError("BAD_JSON", `${file}, line ${i + 1}: ${reason}`, { field: file, value: i + 1, cause });
    }
  });
  if (lines.size === 0) throw new ZagreusError("BAD_JSON", `${file} has no answers`, { field: file });
  return [...lines.values()];
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
