// `zagreus eval`: multiple choice by log-likelihood, as lm-evaluation-harness defines acc and acc_norm.

import { Command, Option } from "commander";
import { readItems, withExamples } from "../../eval/items.js";
import { Accuracy, answer, type ItemResult } from "../../eval/score.js";
import { type EvalTask, TASKS } from "../../eval/tasks.js";
import { outputPath, writeAtomically } from "../../files/output_file.js";
import { integer } from "../shared/arguments.js";
import { readInput } from "../shared/input.js";
import { loadModel, type ModelFlags, withModel } from "../shared/model.js";
import { print, printJson } from "../shared/output.js";
import { countBar } from "../shared/progress.js";

interface EvalFlags extends ModelFlags {
  task?: EvalTask;
  limit?: number;
  shots?: number;
  examples?: string;
  out?: string;
}

export function evalCommand(): Command {
  return withModel(new Command("eval"))
    .description("multiple choice by log-likelihood, acc and acc_norm as lm-evaluation-harness defines them")
    .argument("<file>", "JSONL, a question a line as in the data sets of ARC, HellaSwag and MMLU; - for standard input")
    .addOption(
      new Option("--task <task>", "how questions are asked (default: told from a row's fields)").choices(TASKS),
    )
    .option("--limit <n>", "only the first n questions", integer(1))
    .option("--examples <file>", "JSONL of answered questions, the first --shots of which come before every question")
    .option("--shots <n>", "how many (default with --examples: 5)", integer(1))
    .option("-o, --out <file>", "write a JSON line for each question: log-likelihoods and predictions")
    .addHelpText("after", "\nExamples:\n  zagreus eval arc.jsonl -m nesso-instruct --limit 100")
    .action(run);
}

async function run(file: string, flags: EvalFlags, command: Command): Promise<void> {
  if (flags.shots !== undefined && flags.examples === undefined) command.error("error: --shots needs --examples");
  const { task, limit, shots = 5 } = flags;
  const items = readItems(file, await readInput(file), task, limit);
  const examples = flags.examples ? readItems(flags.examples, await readInput(flags.examples), task) : [];
  const contexts = items.map((item) => withExamples(item, examples, flags.examples ? shots : 0));
  const out = flags.out === undefined ? undefined : await outputPath(flags.out);

  const { model, signal } = await loadModel(flags);
  const accuracy = new Accuracy();
  let truncated = 0;
  const bar = countBar("question", items.length, flags.json === true);
  const score = async (each: (answer: ItemResult) => Promise<void>) => {
    for (const [i, item] of items.entries()) {
      const answered = await answer(model, item, contexts[i]!, signal);
      accuracy.add(answered);
      if (answered.truncated > 0) truncated++;
      await each(answered);
      bar.update(i + 1, `acc ${accuracy.acc.toFixed(4)}, acc_norm ${accuracy.accNorm.toFixed(4)}`);
    }
  };
  try {
    if (out === undefined) await score(async () => {});
    else await writeAtomically(out, (sink) => score((answer) => sink(Buffer.from(`${JSON.stringify(answer)}\n`))));
  } finally {
    bar.stop();
  }
  const { contextLength } = model.info;
  if (!flags.json) return report(accuracy, truncated, contextLength);
  printJson({
    acc: accuracy.acc,
    acc_stderr: accuracy.accError,
    acc_norm: accuracy.accNorm,
    acc_norm_stderr: accuracy.accNormError,
    items: accuracy.items,
    truncated,
    context: contextLength,
  });
}

function report({ acc, accNorm, accError, accNormError, items }: Accuracy, truncated: number, context: number): void {
  const line = (name: string, mean: number, error: number | null) =>
    print(`${name.padEnd(8)} ${mean.toFixed(4)}${error === null ? "" : ` +/- ${error.toFixed(4)}`}`);
  line("acc", acc, accError);
  line("acc_norm", accNorm, accNormError);
  const cut = truncated > 0 ? `, ${truncated} of them without their beginning, to fit a context of ${context}` : "";
  print(`${items} questions${cut}`);
}
