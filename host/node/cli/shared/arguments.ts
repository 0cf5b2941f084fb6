// Parsers of option values. What they refuse is wrong usage, exit code 2.

import { InvalidArgumentError, Option } from "commander";

/** An integer of at least `min`, and at most `max`. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      const limit = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
      throw new InvalidArgumentError(`It must be an integer ${limit}.`);
    }
    return value;
  };
}

/** A finite number. */
export function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("It must be a number.");
  return value;
}

/** An integer of any size. */
export function seed(text: string): bigint {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("It must be an integer of at least 0.");
  return BigInt(text);
}

/** "1,2,3" */
export function tokenList(text: string): number[] {
  return text.split(",").map((item) => integer(0)(item.trim()));
}

/** "echo,add" */
export function names(text: string): string[] {
  return text.split(",").map((name) => name.trim());
}

/** ID=BIAS, given any number of times. */
export function logitBias(text: string, before = new Map<number, number>()): Map<number, number> {
  const [id, bias, ...more] = text.split("=");
  if (id === undefined || bias === undefined || more.length > 0) throw new InvalidArgumentError("It must be ID=BIAS.");
  return new Map(before).set(integer(0)(id), bias === "-inf" ? Number.NEGATIVE_INFINITY : decimal(bias));
}

/** One of some words, in capitals or not. */
export function choice<T extends string>(flags: string, help: string, words: readonly T[]): Option {
  const parse = (text: string) => {
    const word = text.toLowerCase() as T;
    if (!words.includes(word)) throw new InvalidArgumentError(`Allowed choices are ${words.join(", ")}.`);
    return word;
  };
  return new Option(flags, help).choices(words).argParser(parse);
}

/** An option that makes no sense twice. */
export function once(text: string, before: string | undefined): string {
  if (before !== undefined) throw new InvalidArgumentError("It was given twice.");
  return text;
}

/** Collects an option given any number of times. */
export function list(text: string, before: string[] = []): string[] {
  return [...before, text];
}

/** Texts as llama.cpp takes them: given any number of times, "\\n" is a line's end, "none" stands for an empty list. */
export function breaker(text: string, before: string[] = []): string[] {
  return text === "none" ? [] : [...before, text.replaceAll("\\n", "\n").replaceAll("\\t", "\t")];
}
