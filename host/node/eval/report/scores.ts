// Results of `zagreus eval` as a table of scores, and what has changed between two.

import { ZagreusError } from "../../../core/api/errors.js";
import { isObject } from "../../../core/api/json.js";

export interface Column {
  name: string;
  /** What is counted, at most; a share where it is undefined. */
  of: number | undefined;
  /** Whether less is better. */
  less?: boolean;
}

export interface Scores {
  columns: Column[];
  rows: ScoreRow[];
}

export interface ScoreRow {
  name: string;
  /** One for each column; undefined where a result has none. */
  values: (number | undefined)[];
}

type Json = Record<string, unknown>;

/**
 * The table of a result as --json prints it.
 * @param file what errors call it
 * @throws ZagreusError BAD_JSON for anything else
 */
export function scoresOf(file: string, result: unknown): Scores {
  if (isObject(result)) {
    if (isObject(result.variants)) return ofVariants(result, result.variants);
    if (isObject(result.languages)) return ofLanguages(nameOf(result), result.languages);
    if (typeof result.acc === "number") return ofChoices(result);
  }
  throw new ZagreusError("BAD_JSON", `${file} is no result of zagreus eval --json`, { field: file });
}

const nameOf = ({ model }: Json) => (typeof model === "string" ? model : "model");
const numberOf = (value: unknown) => (typeof value === "number" ? value : undefined);
const objectOf = (value: unknown): Json => (isObject(value) ? value : {});

function ofChoices(result: Json): Scores {
  const columns = ["acc", "acc_norm"].map((name) => ({ name, of: undefined }));
  return { columns, rows: [{ name: nameOf(result), values: columns.map(({ name }) => numberOf(result[name])) }] };
}

/** The columns are those of `cases`, which counts them; where a file has none, of its first variant. */
function ofVariants({ cases }: Json, variants: Json): Scores {
  const values = (marks: Json) => {
    const { categories, passed: _, calls: __, ...rest } = marks;
    return { ...rest, ...objectOf(categories) };
  };
  const rows = Object.entries(variants).map(([name, marks]) => ({ name, found: values(objectOf(marks)) as Json }));
  const columns = Object.entries(isObject(cases) ? values(cases) : (rows[0]?.found ?? {})).map(([name, of]) => ({
    name,
    of: isObject(cases) ? numberOf(of) : Math.max(...rows.map(({ found }) => numberOf(found[name]) ?? 0)),
  }));
  return {
    columns,
    rows: rows.map(({ name, found }) => ({ name, values: columns.map((column) => numberOf(found[column.name])) })),
  };
}

function ofLanguages(name: string, languages: Json): Scores {
  const counts = Object.entries(languages).map(([language, counts]) => ({ language, counts: objectOf(counts) }));
  return {
    columns: counts.flatMap(({ language, counts: { answers } }) => [
      { name: `in ${language}`, of: numberOf(answers) ?? 0 },
      { name: `${language} loops`, of: numberOf(answers) ?? 0, less: true },
    ]),
    rows: [{ name, values: counts.flatMap(({ counts }) => [numberOf(counts.inLanguage), numberOf(counts.loops)]) }],
  };
}

/** What each row has more than the row of the same name, or, where each has but one, than that. */
export function differences(scores: Scores, before: Scores): (ScoreRow & { before: ScoreRow })[] {
  const alone = scores.rows.length === 1 && before.rows.length === 1;
  return scores.rows.flatMap((row) => {
    const other = before.rows.find(({ name }) => alone || name === row.name);
    if (!other) return [];
    const values = scores.columns.map(
      ({ name }) => other.values[before.columns.findIndex((column) => column.name === name)],
    );
    const more = row.values.map((value, i) => {
      const was = values[i];
      return value === undefined || was === undefined ? undefined : value - was;
    });
    return [{ name: row.name, values: more, before: { name: other.name, values } }];
  });
}

/** A score as people read it: a share with four digits, a count as it is. */
export const shown = (value: number | undefined, { of }: Column): string =>
  value === undefined ? "-" : of === undefined ? value.toFixed(4) : String(value);

export const signed = (value: number | undefined, column: Column): string =>
  value === undefined ? "-" : `${value < 0 ? "" : "+"}${shown(value, column)}`;
