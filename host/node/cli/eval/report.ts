// How `zagreus eval` shows a result: JSON, a table, a page.

import { page } from "../../eval/report/html.js";
import { differences, type Scores, scoresOf } from "../../eval/report/scores.js";
import { table } from "../../eval/report/table.js";
import { outputPath, writeAtomically } from "../../files/output_file.js";
import { readJson } from "../shared/json_file.js";
import { print, printJson } from "../shared/output.js";
import type { EvalFlags } from "./flags.js";

/** What is opened before a model is asked, so that a wrong path costs no time. */
export interface Report {
  before: Scores | undefined;
  html: string | undefined;
}

/** @throws ZagreusError BAD_JSON, INVALID_OPTION; what reading a file throws */
export async function openReport({ against, html }: EvalFlags): Promise<Report> {
  return {
    before: against === undefined ? undefined : scoresOf(against, await readJson(against)),
    html: html === undefined ? undefined : await outputPath(html),
  };
}

/**
 * @param title heading of the page
 * @param notes lines that people read below the table
 * @param lines what people read instead of the table where nothing is compared
 */
export async function show(
  result: object,
  { before, html }: Report,
  { json }: EvalFlags,
  { title, notes, lines }: { title: string; notes: string[]; lines?: string[] },
): Promise<void> {
  const scores = scoresOf("this", result);
  if (html) {
    const text = Buffer.from(page(title, notes, scores, before));
    await writeAtomically(html, (sink) => sink(text));
  }
  if (json) return printJson(before ? { ...result, differences: differencesByName(scores, before) } : result);
  const shown = before || !lines ? table(scores, before) : lines;
  for (const line of [...shown, ...notes]) print(line);
}

function differencesByName(scores: Scores, before: Scores): object {
  const { columns } = scores;
  return Object.fromEntries(
    differences(scores, before).map(({ name, values }) => [
      name,
      Object.fromEntries(columns.map((column, i) => [column.name, values[i] ?? null])),
    ]),
  );
}
