// The tokens that a model begins and ends with.

import type { ModelInfo } from "../../index.js";

/** Special tokens that are written out. */
const MAX_NAMES = 8;

/** Label and text: where texts begin, what ends a generation, and the control tokens that there are. */
export function vocabularyLines({ tokenizer, vocabulary }: ModelInfo): [string, string][] {
  const { bos, addBos, end, special } = tokenizer;
  const texts = new Map(Object.entries(special).map(([text, id]) => [id, text]));
  const shown = (id: number) => `${id} ${texts.get(id) ?? ""}`.trimEnd();
  const names = Object.keys(special);
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : "";
  return [
    ["tokens", `${vocabulary}`],
    ["begin", bos === undefined ? "none" : `${shown(bos)}${addBos ? "" : ", not by itself"}`],
    ["end", end.map(shown).join(", ") || "none: only the number of tokens ends a text"],
    ["special", names.length === 0 ? "none" : `${names.slice(0, MAX_NAMES).join(" ")}${more}`],
  ];
}
