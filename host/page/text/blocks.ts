// Markdown that grows, cut into its blocks: what has come to its end is rendered once, only the last block again.

import { Lexer } from "marked";

/** A text as blocks of Markdown, which put together are the text. */
export interface Blocks {
  readonly text: string;
  /** Those that will not change as the text grows. */
  readonly done: readonly string[];
  /** Where the last one starts. */
  readonly start: number;
}

export const EMPTY: Blocks = { text: "", done: [], start: 0 };

const normal = (text: string) => text.replace(/\r\n?/g, "\n");

/** The blocks of `text`, which goes on from `before` if it begins so. */
export function grow(before: Blocks, text: string): Blocks {
  const whole = normal(text);
  const { done, start } = whole.startsWith(before.text) ? before : EMPTY;
  const raws: string[] = [];
  for (const { raw } of new Lexer({ gfm: true }).blockTokens(whole.slice(start), [])) {
    if (raw.trim() === "" && raws.length > 0) raws.push(raws.pop() + raw);
    else raws.push(raw);
  }
  const finished = raws.slice(0, -1);
  const length = finished.reduce((sum, raw) => sum + raw.length, 0);
  return { text: whole, done: finished.length > 0 ? [...done, ...finished] : done, start: start + length };
}

/** The block that still grows. */
export const last = ({ text, start }: Blocks) => text.slice(start);
