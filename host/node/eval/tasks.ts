// Rows of multiple-choice data sets as questions, word for word as lm-evaluation-harness asks them
// (https://github.com/EleutherAI/lm-evaluation-harness, lm_eval/tasks: arc, okapi, hellaswag, mmlu).

import { strip } from "./python.js";

/** One question: the choice that follows the context best is the answer. */
export interface Question {
  context: string;
  /** Without the space that comes before them. */
  choices: readonly string[];
  /** Index of the right choice. */
  gold: number;
  /** Comes before everything, examples too. */
  description: string;
  /** Examples are of the same subject. */
  subject: string | undefined;
}

export const TASKS = ["query", "arc", "hellaswag", "mmlu"] as const;
export type EvalTask = (typeof TASKS)[number];

export type DatasetRow = Readonly<Record<string, unknown>>;

const LETTERS = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"];
const MMLU_CHOICES = 4;
const OPTIONS = ["option_a", "option_b", "option_c", "option_d", "option_e"];

/** @throws Error saying what is wrong with the row */
export function question(row: DatasetRow, task: EvalTask | undefined): Question {
  const asked = READERS[task ?? taskOf(row)](row);
  if (asked.choices.length < 2) throw new Error(`there must be at least two choices, not ${asked.choices.length}`);
  const empty = asked.choices.indexOf("");
  if (empty >= 0) throw new Error(`choice ${empty} is empty`);
  return { description: "", subject: undefined, ...asked };
}

/** The task whose data set has such rows. */
function taskOf(row: DatasetRow): EvalTask {
  if ("query" in row) return "query";
  if ("endings" in row) return "hellaswag";
  if ("question" in row) return "subject" in row ? "mmlu" : "arc";
  if ("instruction" in row) throw new Error('rows with "instruction" are of ARC or of MMLU: --task has to say which');
  throw new Error('it has none of "query", "question", "endings" and "instruction"');
}

type Asked = Pick<Question, "context" | "choices" | "gold"> & Partial<Question>;

const READERS: Record<EvalTask, (row: DatasetRow) => Asked> = {
  /** What the harness has made of a row already: nothing is added. */
  query(row) {
    const choices = texts(row, "choices");
    return { context: text(row, "query"), choices, gold: anyGold(row, choices) };
  },

  /** allenai/ai2_arc and its translations; alexandrainst/m_arc. */
  arc(row) {
    if ("instruction" in row) {
      const choices = OPTIONS.flatMap((name) => (row[name] ? [clean(text(row, name))] : []));
      const gold = place(LETTERS, row, "answer", choices.length);
      return { context: `Question: ${clean(text(row, "instruction"))}\nAnswer:`, choices, gold };
    }
    const context = `Question: ${text(row, "question")}\nAnswer:`;
    if (Array.isArray(row.choices)) {
      const choices = texts(row, "choices");
      return { context, choices, gold: anyGold(row, choices) };
    }
    const inner = object(row, "choices");
    const choices = texts(inner, "text");
    return { context, choices, gold: place(texts(inner, "label"), row, "answerKey", choices.length) };
  },

  /** Rowan/hellaswag; alexandrainst/m_hellaswag. */
  hellaswag(row) {
    const context = `${text(row, "ctx_a")} ${capitalized(text(row, "ctx_b"))}`;
    const choices = texts(row, "endings").map(clean);
    return {
      context: clean(`${text(row, "activity_label")}: ${context}`),
      choices,
      gold: index(typeof row.label === "string" ? integer(row.label.trim()) : row.label, "label", choices),
    };
  },

  /** cais/mmlu, by subject; alexandrainst/m_mmlu. The choices are in the question, what is scored are their letters. */
  mmlu(row) {
    const foreign = "instruction" in row;
    const choices = foreign ? OPTIONS.slice(0, MMLU_CHOICES).map((name) => text(row, name)) : texts(row, "choices");
    const letters = LETTERS.slice(0, choices.length);
    const lines = choices.map((choice, i) => `${letters[i]}. ${choice}\n`).join("");
    const subject = "subject" in row ? text(row, "subject") : undefined;
    return {
      context: `${strip(text(row, foreign ? "instruction" : "question"))}\n${lines}Answer:`,
      choices: letters,
      gold: anyGold(row, letters),
      subject,
      description:
        subject === undefined
          ? ""
          : `The following are multiple choice questions (with answers) about ${subject.replaceAll("_", " ")}.\n\n`,
    };
  },
};

/** "gold", "answer" or "label": the index of a choice, its text, or its letter. */
function anyGold(row: DatasetRow, choices: readonly string[]): number {
  const name = ["gold", "answer", "label", "answerKey"].find((name) => name in row);
  if (name === undefined) throw new Error('it has none of "gold", "answer" and "label"');
  const value = row[name];
  if (typeof value !== "string") return index(value, name, choices);
  if (choices.includes(value)) return choices.indexOf(value);
  const number = integer(value);
  return number === undefined ? place(LETTERS, row, name, choices.length) : index(number, name, choices);
}

const integer = (digits: string) => (/^\d+$/.test(digits) ? Number(digits) : undefined);

function index(value: unknown, name: string, choices: readonly string[]): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) < choices.length) return value as number;
  throw new Error(`"${name}" must be 0 to ${choices.length - 1}, the index of a choice`);
}

/** Where the text of field `name` stands among the labels of the choices. */
function place(labels: readonly string[], row: DatasetRow, name: string, choices: number): number {
  const at = labels.indexOf(text(row, name));
  if (at >= 0 && at < choices) return at;
  throw new Error(`"${name}" must be one of ${labels.slice(0, choices).join(", ")}, not ${JSON.stringify(row[name])}`);
}

function text(row: DatasetRow, name: string): string {
  const value = row[name];
  if (typeof value !== "string") throw new Error(`"${name}" must be a string`);
  return value;
}

function texts(row: DatasetRow, name: string): string[] {
  const value = row[name];
  if (!Array.isArray(value) || value.some((item) => typeof item !== "string")) {
    throw new Error(`"${name}" must be an array of strings`);
  }
  return value;
}

function object(row: DatasetRow, name: string): DatasetRow {
  const value = row[name];
  if (typeof value !== "object" || value === null) throw new Error(`"${name}" must be an array or an object`);
  return value as DatasetRow;
}

/** As str.capitalize(): one capital letter, all others small. */
function capitalized(text: string): string {
  const [first = ""] = text;
  const [capital = "", ...rest] = first.toUpperCase();
  // A sigma's small form depends on what is before it.
  return capital + rest.join("").toLowerCase() + text.toLowerCase().slice(first.toLowerCase().length);
}

/** The harness's preprocess() of HellaSwag, which has remains of WikiHow. */
function clean(text: string): string {
  return strip(text)
    .replaceAll(" [title]", ". ")
    .replace(/\[[^\n]*?\]/g, "")
    .replaceAll("  ", " ");
}
