// What people are told of how a model is sampled.

import type { ModelInfo } from "../../index.js";

const NAMES: [name: string, shown: string][] = [
  ["temperature", "temperature"],
  ["topP", "top-p"],
  ["repetitionPenalty", "repetition penalty"],
  ["noRepeatNgram", "no repeated n-gram of"],
  ["loopStop", "loop stop"],
];

/** A line for each kind of generation that the model's makers have said something of. */
export function samplingLines({ source, ...kinds }: ModelInfo["sampling"]): [name: string, value: string][] {
  const lines = Object.entries(kinds).map(([kind, defaults]): [string, string] => {
    const given = NAMES.flatMap(([name, shown]) => {
      const value = (defaults as Record<string, unknown>)[name];
      return value === undefined ? [] : [value === true ? shown : `${shown} ${value}`];
    });
    return [kind, given.length > 0 ? given.join(", ") : "temperature 0.8, no penalty"];
  });
  return source === undefined ? [["sampling", "temperature 0.8, no penalty"]] : [...lines, ["by", source]];
}
