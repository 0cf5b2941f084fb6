// Grammars without a model: a vocabulary of all bytes and some longer tokens, and dice in the model's place.

import type { ResponseFormat } from "../../../host/core/api/api.js";
import { finish, createConstraint as steps, type Vocabulary } from "../../../host/core/grammar/index.js";
import { buildVocabulary } from "../../../host/core/grammar/vocabulary.js";

const WORDS = [
  "a".repeat(20),
  "è".repeat(9),
  '{"',
  '":',
  '": "',
  '", "',
  '"}',
  "true",
  "null",
  "00",
  "12",
  ", ",
  "<t",
  "ool>",
  "hello",
  "è",
  "èè",
  "€",
];
const texts = [
  ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  ...WORDS.map((word) => new TextEncoder().encode(word)),
  new Uint8Array(), // a control token
  new Uint8Array(), // the end token
];
export const CONTROL = texts.length - 2;
export const END = texts.length - 1;
export const vocabulary = finish(buildVocabulary(texts, [END]));

export const createConstraint = (format: ResponseFormat, on: Vocabulary) => finish(steps(format, on));

export const isSet = (mask: Uint8Array, token: number) => ((mask[token >> 3]! >> (token & 7)) & 1) === 1;
export const newMask = () => new Uint8Array((vocabulary.size + 7) >> 3);

export const grammar = (text: string, trigger?: string): ResponseFormat => ({
  type: "grammar",
  grammar: text,
  trigger,
});
export const schema = (schema: unknown): ResponseFormat => ({ type: "json_schema", schema: schema as boolean });

/** Whether a format allows a text, byte by byte and to its end. */
export function takes(format: ResponseFormat, text: string): boolean {
  const constraint = createConstraint(format, vocabulary)!;
  const mask = newMask();
  for (const byte of new TextEncoder().encode(text)) {
    if (constraint.allow(mask, 1e6) && !isSet(mask, byte)) return false;
    constraint.accept(byte);
  }
  constraint.allow(mask, 1e6);
  if (constraint.complete !== isSet(mask, END)) throw new Error("the end token and `complete` disagree");
  return constraint.complete;
}

/** Tokens that may come after a text. */
export function allowed(format: ResponseFormat, text = "", remaining = 1e6): number[] {
  const constraint = createConstraint(format, vocabulary)!;
  const mask = newMask();
  for (const byte of new TextEncoder().encode(text)) constraint.accept(byte);
  if (!constraint.allow(mask, remaining)) return [...texts.keys()];
  return [...texts.keys()].filter((token) => isSet(mask, token));
}

/** Writes a text with at most `most` tokens, each thrown with dice. */
export function throwDice(format: ResponseFormat, most: number, seed: number) {
  const constraint = createConstraint(format, vocabulary)!;
  const mask = newMask();
  const bytes: number[] = [];
  let state = seed;
  let remaining = Math.max(most, constraint.shortest);
  for (; remaining > 0 && !constraint.finished; remaining--) {
    const isMasked = constraint.allow(mask, remaining);
    const choices = [...texts.keys()].filter((token) => !isMasked || isSet(mask, token));
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const token = choices[Math.floor((state / 2 ** 32) * choices.length)];
    if (token === undefined) throw new Error("nothing may come");
    if (token === END) break;
    constraint.accept(token);
    bytes.push(...texts[token]!);
  }
  return { text: new TextDecoder().decode(Uint8Array.from(bytes)), complete: constraint.complete };
}
