import { Command, Option } from "commander";
import type { GenerateOptions } from "../index.js";
import { decimal, integer, list, logitBias, seed } from "./arguments.js";
import { hasStandardInput, readInput } from "./input.js";
import { loadModel, type ModelFlags, withModel } from "./model.js";
import { printJson, write } from "./output.js";

interface Flags extends ModelFlags {
  maxTokens?: number;
  temp?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  noRepeatNgram?: number;
  logitBias?: Map<number, number>;
  seed?: bigint;
  stop?: string[];
  logprobs?: number;
  promptLookup?: boolean;
}

export function completeCommand(): Command {
  // Commander takes "--no-…" for the negation of a flag; this one is not.
  const noRepeatNgram = new Option("--no-repeat-ngram <n>", "never repeat n tokens in a row (default: 0, off)");
  noRepeatNgram.negate = false;

  return withModel(new Command("complete"))
    .description("continue a text")
    .argument("[prompt]", "text to continue (default: standard input)")
    .option("-n, --max-tokens <n>", "tokens to generate at most (default: 256)", integer(0))
    .option("--temp <t>", "temperature, 0 always takes the best token (default: 0.8)", decimal)
    .option("--top-k <k>", "sample from the k best tokens (default: 0, off)", integer(0))
    .option("--top-p <p>", "sample from the fewest tokens with this probability (default: 1, off)", decimal)
    .option("--min-p <p>", "drop tokens below this share of the best one's probability (default: 0, off)", decimal)
    .option("--repetition-penalty <x>", "penalty for tokens in the context (default: 1.1; 1: off)", decimal)
    .addOption(noRepeatNgram.argParser(integer(0)))
    .option("--logit-bias <id=bias>", "add to a token's logit, -inf bans it; may be repeated", logitBias)
    .option("--seed <n>", "same seed, same text (default: random)", seed)
    .option("--stop <text>", "end before this text; may be repeated", list)
    .option("--logprobs <k>", "with --json: log-probabilities and k alternatives of every token", integer(0))
    .option("--prompt-lookup", "guess tokens from the context: faster where the text repeats it, never another text")
    .action(run);
}

async function run(argument: string | undefined, flags: Flags, command: Command): Promise<void> {
  const prompt = argument ?? (await promptFromInput(command));
  const { model, loadMs, signal } = await loadModel(flags);
  const options: GenerateOptions = {
    maxTokens: flags.maxTokens,
    temperature: flags.temp,
    topK: flags.topK,
    topP: flags.topP,
    minP: flags.minP,
    repetitionPenalty: flags.repetitionPenalty,
    noRepeatNgram: flags.noRepeatNgram,
    logitBias: flags.logitBias,
    seed: flags.seed,
    stop: flags.stop,
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
