// Random grammars, well formed and not, ambiguous, nested and repeated: refused with a code, or cheap.

import { write } from "./cost.mjs";

const RULES = ["root", "a", "b", "c", "d"];
const ATOMS = ['"x"', '"xx"', '"è"', "[a-z]", "[^x]", ".", String.raw`[\u0000-\U0010ffff]`, '""', '"\\""', "[0-9]"];
const REPEATS = ["*", "+", "?", "{2}", "{0,3}", "{1,}", "{30}", "{0,200}", "{500,}"];
const NOISE = ["(", ")", "|", "{", "]", '"', "::=", "\n", "#", "\\", "\ud800", "{9999999}"];

/** One grammar. @param random gives numbers from 0 up to 1 @param watch does what it is given @throws Error with the grammar in its message */
export async function run(random, watch) {
  const grammar = random() < 0.1 ? broken(text(random), random) : text(random);
  try {
    await write({ type: "grammar", grammar, ...(random() < 0.1 && { trigger: "x" }) }, random, watch);
  } catch (error) {
    throw new Error(`${error.message}\n${grammar}`, { cause: error });
  }
}

const one = (list, random) => list[Math.floor(random() * list.length)];

function text(random) {
  const names = RULES.slice(0, 1 + Math.floor(random() * RULES.length));
  return names.map((name) => `${name} ::= ${choice(names, 3, random)}\n`).join("");
}

function choice(names, depth, random) {
  const options = Array.from({ length: 1 + Math.floor(random() * 3) }, () => sequence(names, depth, random));
  return options.join(" | ");
}

function sequence(names, depth, random) {
  return Array.from({ length: 1 + Math.floor(random() * 3) }, () => item(names, depth, random)).join(" ");
}

function item(names, depth, random) {
  const dice = random();
  const inner = dice < 0.25 ? one(names, random) : dice < 0.5 && depth > 0 ? `(${choice(names, depth - 1, random)})` : one(ATOMS, random); // biome-ignore format: one line
  return random() < 0.35 ? inner + one(REPEATS, random) : inner;
}

function broken(grammar, random) {
  const at = Math.floor(random() * grammar.length);
  return grammar.slice(0, at) + one(NOISE, random) + grammar.slice(at + Math.floor(random() * 3));
}
