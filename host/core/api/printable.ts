// Text of files, models and networks, fit for a terminal and for logs.

/** Controls (C0, DEL, C1: ECMA-48), line separators, and what turns the direction of text (https://trojansource.codes). */
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

/** One line that cannot take hold of a terminal: U+FFFD stands for what could. `kept` are characters that stay, such as "\n". */
export function printable(text: string, kept = ""): string {
  return text.replace(UNPRINTABLE, (character) => (kept.includes(character) ? character : "\ufffd"));
}

/** JSON on one line, in which the same characters are escaped. */
export function printableJson(value: unknown): string {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return (JSON.stringify(value) ?? "null").replace(UNPRINTABLE, escaped);
}
