// `zagreus eval`: multiple choice, the makers' tool suite, their conversations, and results beside each other.

import { Command, Option } from "commander";
import { TASKS } from "../../eval/tasks.js";
import { withTemplate } from "../chat/template.js";
import type { EvalFlags } from "../eval/flags.js";
import { integer } from "../shared/arguments.js";
import { withModel } from "../shared/model.js";

const EXAMPLES = `
Examples:
  zagreus eval arc.jsonl -m nesso-instruct --limit 100
  zagreus eval --suite agentic_eval_cases_100.json --led -m nesso2-agentic -o answers.jsonl --resume
  zagreus eval --suite agentic_eval_cases_100.json --answers answers.jsonl --json > new.json
  zagreus eval new.json --against old.json --html report.html`;

/** Options that have no meaning beside another. */
const APART: [one: keyof EvalFlags, others: (keyof EvalFlags)[]][] = [
  ["suite", ["task", "examples", "shots"]],
  ["answers", ["led", "bos", "template", "limit", "out", "resume", "model"]],
];
const NEEDED: [one: keyof EvalFlags, needs: keyof EvalFlags][] = [
  ["shots", "examples"],
  ["led", "suite"],
  ["bos", "suite"],
  ["template", "suite"],
  ["answers", "suite"],
  ["resume", "out"],
];

export function evalCommand(): Command {
  return withTemplate(withModel(new Command("eval")))
    .description("measure a model: multiple choice as lm-evaluation-harness defines it, or the makers' suites")
    .argument(
      "[file]",
      "JSONL, a question a line as in the data sets of ARC, HellaSwag and MMLU; - for standard input; or a result of --json",
    )
    .addOption(
      new Option("--task <task>", "how questions are asked (default: told from a row's fields)").choices(TASKS),
    )
    .option("--limit <n>", "only the first n questions, cases or conversations", integer(1))
    .option("--examples <file>", "JSONL of answered questions, the first --shots of which come before every question")
    .option("--shots <n>", "how many (default with --examples: 5)", integer(1))
    .option("--suite <file>", "path or URL of the makers' tool cases or conversations")
    .option("--led", "with --suite: ask the tool cases a second time, with a grammar that leads the calls")
    .option("--bos", "with --suite: begin prompts with bos, which the makers' tool figures are without")
    .option("--answers <file>", "with --suite: mark recorded answers, JSONL of {variant, id, answer}")
    .option("-o, --out <file>", "write a JSON line for each question: what the model has answered")
    .option("--resume", "keep --out as it grows, and go on where an earlier run was interrupted")
    .option("--against <file>", "a result of --json to compare with")
    .option("--html <file>", "write a page with bars")
    .addHelpText("after", EXAMPLES)
    .action(run);
}

async function run(file: string | undefined, flags: EvalFlags, command: Command): Promise<void> {
  const given = (name: keyof EvalFlags) => flags[name] !== undefined;
  for (const [one, other] of NEEDED) if (given(one) && !given(other)) refuse(command, `--${one} needs --${other}`);
  for (const [one, others] of APART) {
    const other = given(one) ? others.find(given) : undefined;
    if (other) refuse(command, `give --${one} or --${other}, not both`);
  }
  if ((file === undefined) === (flags.suite === undefined)) refuse(command, "give a FILE or --suite");
  if (flags.suite !== undefined) await (await import("../eval/suite.js")).evalSuite(flags.suite, flags);
  else await (await import("../eval/choices.js")).evalFile(file!, flags);
}

function refuse(command: Command, reason: string): void {
  command.error(`error: ${reason}`);
}
