// `zagreus eval FILE`: multiple choice by log-likelihood, as lm-evaluation-harness defines acc and acc_norm; or a result to look at.

import { type EvalItem, readItems, withExamples } from "../../eval/items.js";
import { Accuracy, answer, type ItemResult } from "../../eval/score.js";
import { withLines } from "../../files/lines.js";
import { ZagreusError } from "../../index.js";
import { readInput } from "../shared/input.js";
import { loadModel } from "../shared/model.js";
import { countBar } from "../shared/progress.js";
import { nameOf } from "./asking.js";
import type { EvalFlags } from "./flags.js";
import { openReport, show } from "./report.js";

export async function evalFile(file: string, flags: EvalFlags): Promise<void> {
  const report = await openReport(flags);
  const bytes = await readInput(file);
  const earlier = resultIn(bytes);
  if (earlier) return show(earlier, report, flags, { title: file, notes: [] });

  const { task, limit, shots = 5, out, resume = false } = flags;
  const items = readItems(file, bytes, task, limit);
  const examples = flags.examples ? readItems(flags.examples, await readInput(flags.examples), task) : [];
  const contexts = items.map((item) => withExamples(item, examples, flags.examples ? shots : 0));
  const accuracy = new Accuracy();
  let truncated = 0;

  const { model, signal } = await loadModel(flags);
  await withLines(out, resume, async ({ known, write }) => {
    const answered = answeredBefore(out, known, items);
    const bar = countBar("question", items.length, flags.json === true);
    try {
      for (const [i, item] of items.entries()) {
        const before = answered.get(item.line);
        const result = before ?? (await answer(model, item, contexts[i]!, signal));
        accuracy.add(result);
        if (result.truncated > 0) truncated++;
        if (!before) await write(result);
        bar.update(i + 1, `acc ${accuracy.acc.toFixed(4)}, acc_norm ${accuracy.accNorm.toFixed(4)}`);
      }
    } finally {
      bar.stop();
    }
  });
  const { contextLength } = model.info;
  const result = {
    model: nameOf(flags, model),
    acc: accuracy.acc,
    acc_stderr: accuracy.accError,
    acc_norm: accuracy.accNorm,
    acc_norm_stderr: accuracy.accNormError,
    items: accuracy.items,
    truncated,
    context: contextLength,
  };
  const cut =
    truncated > 0 ? `, ${truncated} of them without their beginning, to fit a context of ${contextLength}` : "";
  const notes = [`${accuracy.items} questions${cut}`];
  return show(result, report, flags, { title: file, notes, lines: shares(accuracy) });
}

function shares({ acc, accNorm, accError, accNormError }: Accuracy): string[] {
  const line = (name: string, mean: number, error: number | null) =>
    `${name.padEnd(8)} ${mean.toFixed(4)}${error === null ? "" : ` +/- ${error.toFixed(4)}`}`;
  return [line("acc", acc, accError), line("acc_norm", accNorm, accNormError)];
}

/** The object that a file is, unless it is the row of a data set. */
function resultIn(bytes: Uint8Array): object | undefined {
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const isResult = ["variants", "languages", "acc"].some((name) => name in (json as object));
    return isResult ? (json as object) : undefined;
  } catch {
    return undefined;
  }
}

/** @throws ZagreusError BAD_JSON for lines that are of other questions */
function answeredBefore(
  out: string | undefined,
  known: readonly unknown[],
  items: readonly EvalItem[],
): Map<number, ItemResult> {
  const answered = new Map<number, ItemResult>();
  for (const [i, line] of known.entries()) {
    const result = line as ItemResult;
    const item = items.find((item) => item.line === result?.line);
    if (item && (item.gold !== result.gold || item.choices.length !== result.logprobs?.length)) {
      throw new ZagreusError("BAD_JSON", `${out}, line ${i + 1}: it answers another question than line ${item.line}`, {
        field: "out",
        value: i + 1,
      });
    }
    if (item) answered.set(item.line, result);
  }
  return answered;
}
