// `zagreus batch`: a file of OpenAI's batch lines, answered in this process.

import { Command } from "commander";
import type { BatchFlags } from "../batch/batch.js";
import { withTemplate } from "../chat/template.js";
import { withServedModels } from "../serve/served_models.js";
import { integer } from "../shared/arguments.js";

export function batchCommand(): Command {
  return withTemplate(withServedModels(new Command("batch")))
    .description("answer a file of OpenAI's batch lines: chats, completions, embeddings")
    .requiredOption(
      "-i, --input <file>",
      "JSONL of {custom_id, method, url, body}, a request a line; - for standard input",
    )
    .requiredOption(
      "-o, --out <file>",
      "where the answers go, in the order of the input; one that is there is gone on with",
    )
    .option("--overwrite", "begin --out anew")
    .option(
      "--parallel <n>",
      "requests at work at a time (default: 16, as many as --sequences allows run at once)",
      integer(1, 1024),
    )
    .option("--max-line <mib>", "size of a line at most", integer(1, 1024), 16)
    .addHelpText(
      "after",
      `
A line that cannot be asked gets an error in the output and stops nothing. What is interrupted, even killed, goes on with the same command.

Examples:
  zagreus batch -i requests.jsonl -o answers.jsonl -m nesso-instruct`,
    )
    .action(async (flags: BatchFlags) => (await import("../batch/batch.js")).answerBatch(flags));
}
