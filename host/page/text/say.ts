// What the page says, in the language that was chosen.

import { ENGLISH, type Key } from "./english.js";
import { ITALIAN } from "./italian.js";

export type Language = "en" | "it";

const TEXTS: Record<Language, Record<Key, string>> = { en: ENGLISH, it: ITALIAN };
const MB = 1_000_000;
let current: Language = "en";

/** The language of the browser, as far as the page speaks it. */
export const preferred = (): Language => (navigator.language.startsWith("it") ? "it" : "en");

export function speak(language: Language): void {
  current = language;
}

/** The text of `key`, with values for what stands in braces. */
export function say(key: Key, values: Readonly<Record<string, string | number>> = {}): string {
  return TEXTS[current][key].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? "?"));
}

/** The text for the code of an error. */
export function sayError(code: string | undefined): string {
  return Object.hasOwn(ENGLISH, code ?? "") ? say(code as Key) : say("failed");
}

/** A number as the language writes it. */
export function number(value: number, digits = 0): string {
  return value.toLocaleString(current, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A day and a time as the language writes them. */
export const day = (milliseconds: number) =>
  new Date(milliseconds).toLocaleString(current, { dateStyle: "medium", timeStyle: "short" });

/** Bytes as megabytes. */
export const megabytes = (bytes: number | undefined, digits = 1) =>
  bytes === undefined ? "?" : number(bytes / MB, digits);
