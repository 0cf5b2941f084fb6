// A JSONL file of multiple-choice questions.

import { ZagreusError } from "../../core/api/errors.js";
import { type DatasetRow, type EvalTask, type Question, question } from "./tasks.js";

/** A question with the number of its line, from 1. */
export interface EvalItem extends Question {
  line: number;
}

const SPACE = /^[ \t\r]*$/;

/**
 * Reads the questions of a file, one JSON object a line; empty lines are passed over.
 * @param limit only the first so many
 * @throws ZagreusError BAD_JSON with the line's number for bytes that are no UTF-8, lines that are no object, and rows that lack something
 */
export function readItems(
  file: string,
  bytes: Uint8Array,
  task?: EvalTask,
  limit = Number.POSITIVE_INFINITY,
): EvalItem[] {
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  const items: EvalItem[] = [];
  let line = 0;
  for (let start = 0; start < bytes.length && items.length < limit; ) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    line++;
    try {
      const text = utf8.decode(bytes.subarray(start, end));
      if (!SPACE.test(text)) items.push({ ...question(row(text), task), line });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ZagreusError("BAD_JSON", `${file}, line ${line}: ${reason}`, { field: file, value: line, cause });
    }
    start = end + 1;
  }
  if (items.length === 0) throw new ZagreusError("BAD_JSON", `${file} has no questions`, { field: file });
  return items;
}

function row(text: string): DatasetRow {
  const value: unknown = JSON.parse(text);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as DatasetRow;
  throw new Error("it must be a JSON object");
}

/** The item's context behind its description and the first `count` examples of its subject, answered. */
export function withExamples(item: EvalItem, examples: readonly EvalItem[], count: number): string {
  const shown = examples.filter(({ subject }) => subject === item.subject).slice(0, count);
  if (shown.length < count) {
    const of = item.subject === undefined ? "" : ` of "${item.subject}"`;
    throw new ZagreusError("INVALID_OPTION", `there are ${shown.length} examples${of}, not ${count}`, {
      field: "examples",
      value: shown.length,
      expected: count,
    });
  }
  const answered = shown.map(({ context, choices, gold }) => `${context} ${choices[gold]}\n\n`);
  return item.description + answered.join("") + item.context;
}
