// `zagreus eval --suite`: the makers' tool cases and conversations, asked or, where the answers are recorded, marked.

import { type Answers, countCases, marks, type Recorded, readAnswers, readReplies } from "../../eval/suite/answers.js";
import { type Answer, askCase, askConversation } from "../../eval/suite/ask.js";
import { type Conversation, readSuite, type ToolSuite } from "../../eval/suite/cases.js";
import { countReplies, LANGUAGES } from "../../eval/suite/conversations.js";
import { withLines } from "../../files/lines.js";
import { type Model, ZagreusError } from "../../index.js";
import { readTemplate } from "../chat/template.js";
import { readInput, readPlace } from "../shared/input.js";
import { loadModel } from "../shared/model.js";
import { notice } from "../shared/output.js";
import { countBar } from "../shared/progress.js";
import { nameOf } from "./asking.js";
import type { EvalFlags } from "./flags.js";
import { openReport, type Report, show } from "./report.js";

/** An answer as --out writes it, and --answers reads it. */
interface AnswerLine extends Recorded {
  tokens: number;
  seconds: number;
}

export async function evalSuite(place: string, flags: EvalFlags): Promise<void> {
  const report = await openReport(flags);
  const read = readSuite(place, await readPlace(place));
  if (read.kind === "conversations") return talk(place, read.conversations.slice(0, flags.limit), flags, report);
  const suite = { ...read.suite, cases: read.suite.cases.slice(0, flags.limit) };
  if (flags.answers === undefined) return ask(place, suite, flags, report);
  const answers = readAnswers(flags.answers, await recorded(flags.answers), suite);
  await showMarks(suite, answers, {}, flags, report, { title: `${place}: ${flags.answers}`, notes: [] });
}

const recorded = async (file: string) => new TextDecoder().decode(await readInput(file));

async function ask(place: string, suite: ToolSuite, flags: EvalFlags, report: Report): Promise<void> {
  const { model, signal } = await loadModel(flags);
  const asking = { bos: flags.bos === true, template: await readTemplate(flags.template), signal };
  const questions = (flags.led ? ["plain", "led"] : ["plain"]).flatMap((variant) =>
    suite.cases.map((item) => ({ variant, id: item.id, item })),
  );
  const lines = await answered(questions, "case", flags, ({ variant, item }) =>
    askCase(model, item, suite.tools, variant === "led", asking),
  );
  const answers: Answers = new Map();
  for (const { variant, id, answer } of lines)
    answers.set(variant, (answers.get(variant) ?? new Map()).set(id, answer));
  const about = described(model, lines, flags);
  await showMarks(suite, answers, about.result, flags, report, { title: place, notes: about.notes });
}

function showMarks(
  suite: ToolSuite,
  answers: Answers,
  about: object,
  flags: EvalFlags,
  report: Report,
  shown: { title: string; notes: string[] },
): Promise<void> {
  for (const [variant, given] of answers) {
    const missing = suite.cases.length - given.size;
    if (missing > 0) notice(`${variant}: ${missing} of ${suite.cases.length} cases have no answer and do not pass`);
  }
  const variants = Object.fromEntries([...answers].map(([name, given]) => [name, marks(suite, given)]));
  return show({ ...about, cases: countCases(suite.cases), variants }, report, flags, shown);
}

async function talk(place: string, all: readonly Conversation[], flags: EvalFlags, report: Report): Promise<void> {
  if (flags.led) {
    const message = `--led is for tool cases, and ${place} has conversations`;
    throw new ZagreusError("INVALID_OPTION", message, { field: "led", value: true });
  }
  const unknown = all.find(({ lang }) => !LANGUAGES.includes(lang));
  if (unknown) throw new ZagreusError("BAD_JSON", `${place}: "${unknown.lang}" must be one of ${LANGUAGES.join(", ")}`);
  if (flags.answers !== undefined) {
    const replies = readReplies(flags.answers, await recorded(flags.answers), all);
    const shown = { title: `${place}: ${flags.answers}`, notes: [] };
    return show({ model: flags.answers, languages: countReplies(replies) }, report, flags, shown);
  }
  const { model, signal } = await loadModel(flags);
  const asking = { template: await readTemplate(flags.template), signal };
  const questions = all.map(({ lang, name, messages }) => ({ variant: lang, id: name, messages }));
  const lines = await answered(questions, "conversation", flags, ({ messages }) =>
    askConversation(model, messages, asking),
  );
  const { result, notes } = described(model, lines, flags);
  await show({ ...result, languages: countReplies(lines) }, report, flags, { title: place, notes });
}

/** Asks what is not answered in --out yet. */
async function answered<Q extends { variant: string; id: string }>(
  questions: readonly Q[],
  what: string,
  flags: EvalFlags,
  answer: (question: Q) => Promise<Answer>,
): Promise<AnswerLine[]> {
  return withLines(flags.out, flags.resume === true, async ({ known, write }) => {
    const before = new Map((known as AnswerLine[]).map((line) => [`${line.variant}\0${line.id}`, line]));
    const lines: AnswerLine[] = [];
    const bar = countBar(what, questions.length, flags.json === true);
    try {
      for (const question of questions) {
        const { variant, id } = question;
        let line = before.get(`${variant}\0${id}`);
        if (!line) {
          const { text, ...cost } = await answer(question);
          line = { variant, id, answer: text, ...cost };
          await write(line);
        }
        lines.push(line);
        bar.update(lines.length, `${variant} ${id}`);
      }
    } finally {
      bar.stop();
    }
    return lines;
  });
}

function described(model: Model, lines: readonly AnswerLine[], flags: EvalFlags) {
  const seconds = lines.reduce((sum, line) => sum + line.seconds, 0);
  const tokens = lines.reduce((sum, line) => sum + line.tokens, 0);
  const name = nameOf(flags, model);
  return {
    result: { model: name, context: model.info.contextLength, seconds, tokens },
    notes: [`${name}: ${lines.length} answers, ${tokens} tokens, ${seconds.toFixed(1)} s`],
  };
}
