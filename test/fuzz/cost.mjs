// What a format costs, on a vocabulary of 128,256 tokens: a finding where that is more than is promised.

import { setImmediate as turn } from "node:timers/promises";
import { sources } from "../support/grammar_sources.mjs";
import { llama3 } from "../support/llama3_vocabulary.mjs";
import { processorTime } from "./holds.mjs";

/** Milliseconds of processor time of a token. */
const MAX_TOKEN = 200;
const MAX_HEAP = 100 * 2 ** 20;
const TOKENS = 40;
const REFUSED = ["BAD_GRAMMAR", "BAD_SCHEMA"];

const { createConstraint, buildVocabulary, finish, finishInSlices, Pace } = await sources();
const { texts, end } = llama3();
const vocabulary = finish(buildVocabulary(texts, end));
const mask = new Uint8Array((vocabulary.size + 7) >> 3);

/**
 * Prepares a format and writes some tokens with dice.
 * @param random gives numbers from 0 up to 1
 * @param watch does what it is given
 * @returns the text, and whether it is complete; undefined where the format is refused
 * @throws Error for what costs too much, or fails without a code
 */
export function write(format, random, watch) {
  return watch(() => writeWatched(format, random));
}

async function writeWatched(format, random) {
  const heap = process.memoryUsage().heapUsed;
  const pace = new Pace(turn, () => {});
  try {
    const constraint = await finishInSlices(createConstraint(format, vocabulary), () => pace.yield());
    const tokens = [];
    for (let left = Math.max(TOKENS, Math.min(constraint.shortest, 400)); left > 0 && !constraint.finished; left--) {
      const begun = processorTime();
      await constraint.allowInSlices(mask, left, () => pace.yield());
      atMost(MAX_TOKEN, begun);
      const token = pick(random);
      if (token === undefined || end.includes(token)) break;
      tokens.push(token);
      constraint.accept(token);
      await pace.yield();
    }
    const grown = process.memoryUsage().heapUsed - heap;
    if (grown > MAX_HEAP && collected() - heap > MAX_HEAP) throw new Error(`takes ${grown} bytes`);
    const text = new TextDecoder().decode(Buffer.concat(tokens.map((token) => texts[token])));
    return { text, complete: constraint.complete };
  } catch (error) {
    if (error?.name === "ZagreusError" && REFUSED.includes(error.code)) return undefined;
    throw error;
  }
}

function atMost(most, begun) {
  const ms = processorTime() - begun;
  if (ms > most) throw Object.assign(new Error(`a token takes ${ms.toFixed(0)} ms`), { isCost: true });
}

/** Live bytes, where the garbage collector can be called. */
function collected() {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** One of the tokens of the mask, the short ones as likely as all others together. */
function pick(random) {
  const start = Math.floor(random() * (random() < 0.5 ? 256 : vocabulary.size));
  for (let i = 0; i < vocabulary.size; i++) {
    const token = (start + i) % vocabulary.size;
    if ((mask[token >> 3] >> (token & 7)) & 1) return token;
  }
  return undefined;
}
