// What a format costs, on a vocabulary of 128,256 tokens: a finding where that is more than is promised.

import { sources } from "../support/grammar_sources.mjs";
import { llama3 } from "../support/llama3_vocabulary.mjs";

/** Milliseconds of processor time without a pause, and of a token. */
const MAX_STEP = 200;
const MAX_TOKEN = 200;
const MAX_HEAP = 100 * 2 ** 20;
const TOKENS = 40;
const REFUSED = ["BAD_GRAMMAR", "BAD_SCHEMA"];

const { createConstraint, buildVocabulary, finish } = await sources();
const { texts, end } = llama3();
const vocabulary = finish(buildVocabulary(texts, end));
const mask = new Uint8Array((vocabulary.size + 7) >> 3);

/**
 * Prepares a format and writes some tokens with dice.
 * @param random gives numbers from 0 up to 1
 * @returns the text, and whether it is complete; undefined where the format is refused
 * @throws Error for what costs too much, or fails without a code
 */
export function write(format, random) {
  const heap = process.memoryUsage().heapUsed;
  try {
    const constraint = prepare(format);
    const tokens = [];
    for (let left = Math.max(TOKENS, Math.min(constraint.shortest, 400)); left > 0 && !constraint.finished; left--) {
      timed(MAX_TOKEN, "a token", () => constraint.allow(mask, left));
      const token = pick(random);
      if (token === undefined || end.includes(token)) break;
      tokens.push(token);
      timed(MAX_TOKEN, "a token", () => constraint.accept(token));
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

function prepare(format) {
  const steps = createConstraint(format, vocabulary);
  for (;;) {
    const { done, value } = timed(MAX_STEP, "a step", () => steps.next());
    if (done) return value;
  }
}

function timed(most, what, run) {
  const begun = process.cpuUsage();
  const result = run();
  const ms = process.cpuUsage(begun).user / 1000;
  if (ms > most) throw new Error(`${what} takes ${ms.toFixed(0)} ms`);
  return result;
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
