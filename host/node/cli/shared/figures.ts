// --verbose: what a reply cost.

import type { Completion } from "../../index.js";

/** One line; nothing before the end of a generation. */
export function figures({ usage, timings }: Pick<Completion, "usage" | "timings">): string {
  if (!usage || !timings) return "";
  const { promptTokens, reusedTokens, prefilledTokens, completionTokens } = usage;
  const read = `${prefilledTokens} read in ${seconds(timings.prefillMs)} (${timings.prefillTokensPerSecond.toFixed(0)}/s)`;
  const written = `${completionTokens} written in ${seconds(timings.decodeMs)} (${timings.decodeTokensPerSecond.toFixed(0)}/s)`;
  const guesses = timings.proposedTokens > 0 ? `, ${timings.acceptedTokens} of ${timings.proposedTokens} guesses` : "";
  return `tokens: ${promptTokens} of prompt, ${reusedTokens} of them reused, ${read}; ${written}${guesses}`;
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
