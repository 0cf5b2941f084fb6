// `zagreus complete`: continues a text.

import { Command } from "commander";
import type { GenerateOptions } from "../../index.js";
import { withAdapters, withoutName } from "../shared/adapters/lora.js";
import { integer } from "../shared/arguments.js";
import { figures } from "../shared/figures.js";
import { type FormatFlags, responseFormat, withFormat } from "../shared/format.js";
import { hasStandardInput, readInput } from "../shared/input.js";
import { loadModel, type ModelFlags, withModel } from "../shared/model.js";
import { notice, printJson, write } from "../shared/output.js";
import { prefillBar } from "../shared/progress.js";
import { addReceipt, beginReceipts, type ReceiptFlags, withReceipt } from "../shared/receipt.js";
import { type SamplingFlags, samplingOptions, withSampling } from "../shared/sampling.js";

interface CompleteFlags extends ModelFlags, SamplingFlags, FormatFlags, ReceiptFlags {
  file?: string;
  verbose?: boolean;
  logprobs?: number;
  promptLookup?: boolean;
}

export function completeCommand(): Command {
  const command = withAdapters(withModel(new Command("complete")))
    .description("continue a text")
    .argument("[prompt]", "text to continue (default: standard input)");
  return withReceipt(withFormat(withSampling(command)))
    .option("-f, --file <file>", "read the prompt from a file, - for standard input")
    .option("--verbose", "show timings and reused tokens on standard error")
    .option("--logprobs <k>", "with --json: log-probabilities and k alternatives of every token", integer(0))
    .option("--prompt-lookup", "guess tokens from the context: faster where the text repeats it, never another text")
    .addHelpText("after", EXAMPLES)
    .action(run);
}

const EXAMPLES = `
Examples:
  zagreus complete "C'era una volta" -m zagreus-ita -n 64
  zagreus complete -f prompt.txt --temp 0 --json
  zagreus complete "Roma: " -m nesso-instruct --json-schema city.json`;

async function run(argument: string | undefined, flags: CompleteFlags, command: Command): Promise<void> {
  if (argument !== undefined && flags.file !== undefined) command.error("error: give PROMPT or --file, not both");
  const prompt = argument ?? (await promptFromInput(flags.file, command));
  const format = await responseFormat(flags);
  await beginReceipts(flags);
  const { model, adapters, loadMs, signal } = await loadModel(flags);
  const bar = prefillBar();
  const options: GenerateOptions = {
    ...samplingOptions(flags),
    logprobs: flags.logprobs,
    promptLookup: flags.promptLookup,
    responseFormat: format,
    receipt: flags.receipt !== undefined,
    adapters: adapters?.map(withoutName),
    onPrefill: bar.onPrefill,
    signal,
  };
  const completion = model.complete(prompt, options);
  let text = "";
  const logprobs: object[] = [];
  signal.addEventListener("abort", bar.stop, { once: true });
  for await (const piece of completion) {
    text += piece.text;
    if (!flags.json) await write(piece.text);
    else if (flags.logprobs !== undefined) {
      logprobs.push({ token: piece.token, logprob: piece.logprob, top: piece.topLogprobs });
    }
  }
  if (!flags.json) await write("\n");
  await addReceipt(flags, completion.receipt);
  if (flags.verbose) notice(figures(completion));
  if (!flags.json) return;
  const { tokens, finishReason, seed, usage, timings } = completion;
  printJson({
    text,
    tokens,
    finishReason,
    timings: {
      loadMs,
      prefillTokensPerSecond: timings?.prefillTokensPerSecond,
      decodeTokensPerSecond: timings?.decodeTokensPerSecond,
      ...(flags.promptLookup && {
        proposedTokens: timings?.proposedTokens,
        acceptedTokens: timings?.acceptedTokens,
      }),
    },
    usage,
    seed: String(seed),
    ...(flags.logprobs === undefined ? {} : { logprobs }),
  });
}

/** A file, or standard input, without the newline that editors and echo add. */
async function promptFromInput(file: string | undefined, command: Command): Promise<string> {
  if (file === undefined && !hasStandardInput()) command.error("error: no prompt: give one, or pipe it in");
  return new TextDecoder().decode(await readInput(file ?? "-")).replace(/\r?\n$/, "");
}
