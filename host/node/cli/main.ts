// The `zagreus` command.

import { Command, CommanderError } from "commander";

import { printable } from "../../core/api/printable.js";
import { ZagreusError } from "../index.js";
import { batchCommand } from "./commands/batch.js";
import { benchCommand } from "./commands/bench.js";
import { chatCommand } from "./commands/chat.js";
import { completeCommand } from "./commands/complete.js";
import { completionCommand } from "./commands/completion.js";
import { listCommand, rmCommand, showCommand } from "./commands/disk.js";
import { evalCommand } from "./commands/eval.js";
import { inspectCommand } from "./commands/inspect.js";
import { logitsCommand } from "./commands/logits.js";
import { grammarCommand } from "./commands/making/grammar.js";
import { quantizeCommand } from "./commands/making/quantize.js";
import { shardCommand } from "./commands/making/shard.js";
import { splitCommand } from "./commands/making/split.js";
import { templateCommand } from "./commands/making/template.js";
import { trimCommand } from "./commands/making/trim.js";
import { perplexityCommand } from "./commands/perplexity.js";
import { pullCommand } from "./commands/pull.js";
import { serveCommand } from "./commands/serve.js";
import { tokenizeCommand } from "./commands/tokenize.js";
import { verifyCommand } from "./commands/verify.js";
import { styled } from "./shared/colour.js";
import { sentenceOf } from "./shared/failure/sentence.js";
import { interrupted, watchStandardOutput } from "./shared/output.js";
import { useProxy } from "./shared/proxy.js";

declare const ZAGREUS_VERSION: string;

const FAILURE = 1;
const USAGE = 2;

watchStandardOutput(FAILURE);
useProxy();

const EXAMPLES = `
Examples:
  zagreus chat                                    choose a model and talk with it
  zagreus complete "C'era una volta" -n 64        the bundled model continues a text
  zagreus serve -m nesso-instruct --port 8080     for every client of OpenAI's API`;

const program = new Command("zagreus")
  .description("Run Zagreus and Nesso language models in WebAssembly.")
  .version(ZAGREUS_VERSION)
  .exitOverride()
  .showHelpAfterError("(zagreus --help shows the usage)")
  .addHelpText("after", EXAMPLES);
const commands = [
  completeCommand,
  chatCommand,
  tokenizeCommand,
  logitsCommand,
  verifyCommand,
  perplexityCommand,
  evalCommand,
  batchCommand,
  benchCommand,
  serveCommand,
  inspectCommand,
  grammarCommand,
  templateCommand,
  quantizeCommand,
  trimCommand,
  splitCommand,
  shardCommand,
  pullCommand,
  listCommand,
  showCommand,
  rmCommand,
  completionCommand,
];
for (const make of commands) {
  program.addCommand(make().exitOverride().showHelpAfterError("(add --help to see the usage)"));
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** Says what went wrong in one line, and returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE; // commander has said it
  const interruption = interrupted();
  if (interruption !== undefined) return interruption;
  const message = sentenceOf(error).replace(/\s*\n\s*/g, " ");
  process.stderr.write(`${styled("red", "zagreus:", process.stderr)} ${printable(message)}\n`);
  return error instanceof ZagreusError && error.code === "INVALID_OPTION" ? USAGE : FAILURE;
}
