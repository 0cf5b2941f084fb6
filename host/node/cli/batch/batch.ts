// What `zagreus batch` does.

import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { MAX_SEQUENCES } from "../../../../assembly/layout/abi.js";
import { createServer } from "../../../core/server/index.js";
import { ZagreusError } from "../../index.js";
import { readTemplate } from "../chat/template.js";
import { modelsOf, type ServedFlags } from "../serve/served_models.js";
import { notice } from "../shared/output.js";
import { countBar } from "../shared/progress.js";
import { Answers } from "./answers.js";
import { Figures } from "./figures.js";
import { inputLines, openInput } from "./input_lines.js";
import { runBatch } from "./run.js";

export interface BatchFlags extends ServedFlags {
  input: string;
  out: string;
  overwrite?: boolean;
  parallel?: number;
  maxLine: number;
  template?: string;
}

const MIB = 2 ** 20;
/** Bytes of a line that are kept where only their number matters. */
const SHORT = 64;

/** Answers the lines of `input` that `out` has no answers to. @throws as Answers.open(), runBatch() */
export async function answerBatch({ input, out, overwrite, ...flags }: BatchFlags): Promise<void> {
  const total = await countLines(input, out);
  const answers = await Answers.open(out, overwrite === true);
  try {
    await runOn(input, answers, total, flags);
  } finally {
    await answers.close();
  }
}

type ModelBatchFlags = Omit<BatchFlags, "input" | "out" | "overwrite">;

async function runOn(
  input: string,
  answers: Answers,
  total: number | undefined,
  { maxLine, template, parallel = MAX_SEQUENCES, ...flags }: ModelBatchFlags,
): Promise<void> {
  const chatTemplate = await readTemplate(template);
  const { models, adapters, memory, signal, close } = await modelsOf(flags);
  const figures = new Figures();
  const longest = maxLine * MIB;
  const server = createServer(models, {
    adapters,
    memory,
    template: chatTemplate,
    maxBody: longest,
    maxQueue: parallel,
    maxQueueTokens: Number.MAX_SAFE_INTEGER,
    grace: 0,
    onRequest: (report) => figures.request(report),
    onError: (error) => notice(String((error instanceof Error && error.stack) || error)),
  });
  const bar = countBar("request", total, flags.json === true);
  const onAnswer = (how: keyof Figures["answers"]) => {
    figures.answers[how]++;
    bar.update(figures.done, figures.rates());
  };
  const lines = inputLines(openInput(input, signal), longest);
  try {
    await runBatch({ server, lines, longest, answers, parallel, signal, onAnswer });
  } catch (error) {
    if (signal.aborted) notice(`interrupted; ${figures.done} lines are answered, the same command goes on from here`);
    throw error;
  } finally {
    bar.stop();
    await server.close();
    close();
  }
  figures.print(answers.path, flags.json === true);
}

/**
 * Lines of a file that are not blank; undefined for standard input, which can be read once.
 * @throws ZagreusError INVALID_OPTION where the output is the input; what stat() throws
 */
async function countLines(input: string, out: string): Promise<number | undefined> {
  if (input === "-") return undefined;
  const [one, other] = await Promise.all([stat(input), stat(out).catch(() => undefined)]);
  if (other && one.ino === other.ino && one.dev === other.dev) {
    throw new ZagreusError("INVALID_OPTION", `--out is the input, "${resolve(input)}"; name another file`);
  }
  let count = 0;
  const never = new AbortController().signal;
  for await (const _ of inputLines(openInput(input, never), SHORT)) count++;
  return count;
}
