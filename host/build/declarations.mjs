// Which declarations the package's entries lead to: of all that TypeScript emits, what its users can see.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const IMPORTED = /\b(?:from|import)\s*\(?\s*"(\.[^"]+)\.js"/g;

/** The declaration files that `entries`, declaration files too, lead to, and these themselves. */
export function reachable(entries) {
  const found = new Set();
  const waiting = [...entries];
  for (let file = waiting.pop(); file; file = waiting.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    for (const [, name] of readFileSync(file, "utf8").matchAll(IMPORTED))
      waiting.push(`${join(dirname(file), name)}.d.ts`);
  }
  return found;
}
