// What to do with more tokens than the context holds.

import type { Overflow } from "../../api/options.js";

/**
 * Drops the older half of what follows the first `keep` tokens, as often as it takes to have a position free. Where a text is cut
 * depends on its length alone, and changes rarely, so that a growing conversation finds what was run of it before.
 */
export function slide(tokens: number[], overflow: Overflow | undefined, contextLength: number): void {
  if (!overflow || tokens.length < contextLength) return;
  const half = (contextLength - overflow.keep) >> 1;
  const slides = Math.floor((tokens.length - contextLength) / half) + 1;
  tokens.splice(overflow.keep, slides * half);
}
