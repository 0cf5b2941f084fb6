// Options of the commands that generate text.

import { type Command, Option } from "commander";
import type { GenerateOptions } from "../../index.js";
import { breaker, decimal, integer, list, logitBias, seed } from "./arguments.js";

export interface SamplingFlags {
  maxTokens?: number;
  temp?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  dryMultiplier?: number;
  dryBase?: number;
  dryAllowedLength?: number;
  dryPenaltyLastN?: number;
  drySequenceBreaker?: string[];
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

  command
    .option("-n, --max-tokens <n>", "tokens to generate at most (default: 256)", integer(0))
    .option("--temp <t>", `temperature, 0 always takes the best token (default: ${defaults.temp})`, decimal)
    .option("--top-k <k>", "sample from the k best tokens (default: 0, off)", integer(0))
    .option("--top-p <p>", "sample from the fewest tokens with this probability (default: 1, off)", decimal)
    .option("--min-p <p>", "drop tokens below this share of the best one's probability (default: 0, off)", decimal)
    .option("--repetition-penalty <x>", `penalty for tokens in the context (default: ${defaults.penalty})`, decimal)
    .addOption(noRepeatNgram.argParser(integer(0)));
  return withPenalties(command)
    .option("--logit-bias <id=bias>", "add to a token's logit, -inf bans it; may be repeated", logitBias)
    .option("--seed <n>", "same seed, same text (default: random)", seed)
    .option("--stop <text>", "end before this text; may be repeated", list)
    .option("--loop-stop", `end when the text goes round in a loop (default: ${defaults.loopStop})`)
    .option("--no-loop-stop", "let it go round");
}

/** As llama.cpp names them. */
function withPenalties(command: Command): Command {
  return command
    .option("--frequency-penalty <x>", "taken from a token's logit each time it was generated (default: 0)", decimal)
    .option("--presence-penalty <x>", "taken from the logit of tokens that were generated (default: 0)", decimal)
    .option("--dry-multiplier <x>", "penalty for going on with a repetition, 0.8 is usual (default: 0, off)", decimal)
    .option("--dry-base <x>", "it grows so with every token repeated (default: 1.75)", decimal)
    .option("--dry-allowed-length <n>", "repetitions of fewer tokens cost nothing (default: 2)", integer(0))
    .option("--dry-penalty-last-n <n>", "tokens that are looked at, with the prompt's (default: 64)", integer(0))
    .option(
      "--dry-sequence-breaker <text>",
      'no repetition reaches over it; may be repeated, "none" for none',
      breaker,
    );
}

/** The options of a generation that the command line gives. */
export function samplingOptions(flags: SamplingFlags): GenerateOptions {
  const { dryMultiplier: multiplier } = flags;
  const dry = {
    multiplier,
    base: flags.dryBase,
    allowedLength: flags.dryAllowedLength,
    penaltyLastN: flags.dryPenaltyLastN,
    sequenceBreakers: flags.drySequenceBreaker,
  };
  return {
    maxTokens: flags.maxTokens,
    temperature: flags.temp,
    topK: flags.topK,
    topP: flags.topP,
    minP: flags.minP,
    repetitionPenalty: flags.repetitionPenalty,
    frequencyPenalty: flags.frequencyPenalty,
    presencePenalty: flags.presencePenalty,
    dry: multiplier ? dry : undefined,
    noRepeatNgram: flags.noRepeatNgram,
    logitBias: flags.logitBias,
    seed: flags.seed,
    stop: flags.stop,
    loopStop: flags.loopStop,
  };
}
