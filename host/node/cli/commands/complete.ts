import { Command } from "commander";
import type { GenerateOptions } from "../../index.js";
import { integer } from "../shared/arguments.js";
import { hasStandardInput, readInput } from "../shared/input.js";
import { loadModel, type ModelFlags, withModel } from "../shared/model.js";
import { printJson, write } from "../shared/output.js";
import { type SamplingFlags, samplingOptions, withSampling } from "../shared/sampling.js";

interface Flags extends ModelFlags, SamplingFlags {
  logprobs?: number;
  promptLookup?: boolean;
}

export function completeCommand(): Command {
  const command = withModel(new Command("complete"))
    .description("continue a text")
    .argument("[prompt]", "text to continue (default: standard input)");
  return withSampling(command)
    .option("--logprobs <k>", "with --json: log-probabilities and k alternatives of every token", integer(0))
    .option("--prompt-lookup", "guess tokens from the context: faster where the text repeats it, never another text")
    .action(run);
}

async function run(argument: string | undefined, flags: Flags, command: Command): Promise<void> {
  const prompt = argument ?? (await promptFromInput(command));
  const { model, loadMs, signal } = await loadModel(flags);
  const options: GenerateOptions = {
    ...samplingOptions(flags),
    logprobs: flags.logprobs,
    promptLookup: flags.promptLookup,
    signal,
  };
  const completion = model.complete(prompt, options);
  let text = "";
  const logprobs: object[] = [];
  for await (const piece of completion) {
    text += piece.text;
    if (!flags.json) await write(piece.text);
    else if (flags.logprobs !== undefined) {
      logprobs.push({ token: piece.token, logprob: piece.logprob, top: piece.topLogprobs });
    }
  }
  if (!flags.json) return write("\n");
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

/** Standard input without the newline that echo adds. */
async function promptFromInput(command: Command): Promise<string> {
  if (!hasStandardInput()) command.error("error: no prompt: give one, or pipe it in");
  return new TextDecoder().decode(await readInput("-")).replace(/\r?\n$/, "");
}
