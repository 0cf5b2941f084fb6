// Colour where a person sees it: on terminals, unless NO_COLOR (https://no-color.org) or TERM=dumb forbid it.

import { printable } from "../../../core/api/printable.js";

type OutputStream = { isTTY?: boolean | undefined };
export type Style = "bold" | "dim" | "red" | "cyan";

/** SGR codes of ECMA-48: on, off. */
const CODES: Record<Style, [number, number]> = { bold: [1, 22], dim: [2, 22], red: [31, 39], cyan: [36, 39] };

/** `text` as `stream` shows it, whatever it says. */
export function styled(style: Style, text: string, stream: OutputStream = process.stdout): string {
  const plain = printable(text, "\n\t");
  if (!stream.isTTY || process.env.NO_COLOR || process.env.TERM === "dumb") return plain;
  const [on, off] = CODES[style];
  return `\x1b[${on}m${plain}\x1b[${off}m`;
}
