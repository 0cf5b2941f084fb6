// Options of the commands that generate text.

import { type Command, Option } from "commander";
import type { GenerateOptions } from "../../index.js";
import { decimal, integer, list, logitBias, seed } from "./arguments.js";

export interface SamplingFlags {
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
  loopStop?: boolean;
}

/** What is said of options that are not given. */
const DEFAULTS = { temp: "0.8", penalty: "1, off", ngram: "0, off", loopStop: "off" };

/** Adds -n, --temp and so on. */
export function withSampling(command: Command, defaults = DEFAULTS): Command {
  // Commander takes "--no-…" for the negation of a flag; this one is not.
  const noRepeatNgram = new Option(
    "--no-repeat-ngram <n>",
    `never repeat n tokens in a row (default: ${defaults.ngram})`,
  );
  noRepeatNgram.negate = false;

  return command
    .option("-n, --max-tokens <n>", "tokens to generate at most (default: 256)", integer(0))
    .option("--temp <t>", `temperature, 0 always takes the best token (default: ${defaults.temp})`, decimal)
    .option("--top-k <k>", "sample from the k best tokens (default: 0, off)", integer(0))
    .option("--top-p <p>", "sample from the fewest tokens with this probability (default: 1, off)", decimal)
    .option("--min-p <p>", "drop tokens below this share of the best one's probability (default: 0, off)", decimal)
    .option("--repetition-penalty <x>", `penalty for tokens in the context (default: ${defaults.penalty})`, decimal)
    .addOption(noRepeatNgram.argParser(integer(0)))
    .option("--logit-bias <id=bias>", "add to a token's logit, -inf bans it; may be repeated", logitBias)
    .option("--seed <n>", "same seed, same text (default: random)", seed)
    .option("--stop <text>", "end before this text; may be repeated", list)
    .option("--loop-stop", `end when the text goes round in a loop (default: ${defaults.loopStop})`)
    .option("--no-loop-stop", "let it go round");
}

/** The options of a generation that the command line gives. */
export function samplingOptions(flags: SamplingFlags): GenerateOptions {
  return {
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
    loopStop: flags.loopStop,
  };
}
