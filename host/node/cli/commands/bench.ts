// `zagreus bench`: tokens a second of prefill and decode, and memory.

import { Command } from "commander";
import type { Model, Timings } from "../../index.js";
import { integer } from "../shared/arguments.js";
import { loadModel, type ModelFlags, withModel } from "../shared/model.js";
import { print, printJson } from "../shared/output.js";

interface BenchFlags extends ModelFlags {
  prompt: number;
  tokens: number;
  repetitions: number;
  promptLookup?: boolean;
}

export function benchCommand(): Command {
  return withModel(new Command("bench"))
    .description("measure speed and memory")
    .option("-p, --prompt <n>", "tokens to prefill", integer(1), 128)
    .option("-n, --tokens <n>", "tokens to decode", integer(1), 32)
    .option("-r, --repetitions <n>", "how often; the best counts", integer(1), 3)
    .option("--prompt-lookup", "guess tokens from the context while decoding")
    .addHelpText("after", "\nExamples:\n  zagreus bench -m model.gguf -p 512 -n 64 -t 2")
    .action(run);
}

async function run(flags: BenchFlags): Promise<void> {
  const { model, loadMs, signal } = await loadModel(flags);
  const runs: Timings[] = [];
  for (let i = 0; i < flags.repetitions; i++) runs.push(await measure(model, flags, i, signal));
  const best = {
    prefillTokensPerSecond: Math.max(...runs.map((timings) => timings.prefillTokensPerSecond)),
    decodeTokensPerSecond: Math.max(...runs.map((timings) => timings.decodeTokensPerSecond)),
  };
  const mean = {
    prefillTokensPerSecond: average(runs.map((timings) => timings.prefillTokensPerSecond)),
    decodeTokensPerSecond: average(runs.map((timings) => timings.decodeTokensPerSecond)),
  };
  const guesses = flags.promptLookup && {
    proposedTokens: sum(runs.map((timings) => timings.proposedTokens)),
    acceptedTokens: sum(runs.map((timings) => timings.acceptedTokens)),
  };
  const { build, threads, plan } = model.info;
  const peakRssBytes = process.resourceUsage().maxRSS * 1024;
  if (flags.json) {
    return printJson({ build, threads, loadMs, ...best, arenaBytes: plan.arena, peakRssBytes, mean, ...guesses });
  }
  print(`build      ${build}, ${threads} thread${threads === 1 ? "" : "s"}`);
  print(`load       ${loadMs.toFixed(0)} ms`);
  for (const [label, key] of [
    ["prefill", "prefillTokensPerSecond"],
    ["decode ", "decodeTokensPerSecond"],
  ] as const) {
    print(`${label}    ${best[key].toFixed(1)} tokens/s (mean of ${flags.repetitions}: ${mean[key].toFixed(1)})`);
  }
  if (guesses) print(`guesses    ${guesses.acceptedTokens} of ${guesses.proposedTokens} came true`);
  print(`arena      ${(plan.arena / 1e6).toFixed(1)} MB`);
  print(`peak RSS   ${(peakRssBytes / 1e6).toFixed(1)} MB`);
}

/** One prefill and one greedy decode; the prompt differs from the last one's so that nothing of it is in the cache. */
async function measure(model: Model, flags: BenchFlags, repetition: number, signal: AbortSignal): Promise<Timings> {
  const { vocabulary, tokenizer } = model.info;
  const prompt = Array.from({ length: flags.prompt }, (_, i) => (1 + repetition + i * 31) % Math.min(vocabulary, 4096));
  const completion = model.complete(prompt, {
    maxTokens: flags.tokens + 1, // the first token comes out of the prefill
    temperature: 0,
    promptLookup: flags.promptLookup,
    repetitionPenalty: 1,
    logitBias: new Map(tokenizer.end.map((token) => [token, Number.NEGATIVE_INFINITY])),
    signal,
  });
  await completion.text();
  const { finishReason, timings } = completion;
  if (finishReason !== "length" || !timings) {
    throw new RangeError(
      `-p ${flags.prompt} and -n ${flags.tokens} need a context of ${flags.prompt + flags.tokens + 1}`,
    );
  }
  return timings;
}

function average(values: number[]): number {
  return sum(values) / values.length;
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
