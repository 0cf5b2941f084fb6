// Patterns that name modules. They come with files, so nobody's regular expression runs: they become automata, as those of JSON schemas do.

import { part, ZagreusError } from "../api/errors.js";
import { badAdapter } from "./adapter.js";

/** A name, or ends of names: what nearly all patterns are. Its dots stand for any character, as they do in a regular expression. */
const PLAIN = /^[\w.]+$/;

/**
 * Whether PEFT's `get_pattern_key()` takes a module for the one that `pattern` names: `^(.*\.)?(pattern)$`.
 * @throws ZagreusError BAD_ADAPTER for a pattern that is not understood
 */
export async function matcher(pattern: string, file: string, key: string): Promise<(module: string) => boolean> {
  if (PLAIN.test(pattern)) return (module) => endsAs(module, pattern);
  const [{ patternLanguage }, { includes }, { finish }] = await part(
    Promise.all([
      import("../grammar/schema/regular/index.js"),
      import("../grammar/schema/regular/language.js"),
      import("../grammar/shared/slices.js"),
    ]),
  );
  try {
    const language = finish(patternLanguage(`^(.*\\.)?(${pattern})$`, key));
    return (module) => includes(language, module);
  } catch (cause) {
    if (!(cause instanceof ZagreusError)) throw cause;
    throw badAdapter(file, key, `has a pattern that is not understood: ${cause.message}`, { value: pattern, cause });
  }
}

function endsAs(module: string, pattern: string): boolean {
  const from = module.length - pattern.length;
  if (from < 0 || (from > 0 && module[from - 1] !== ".")) return false;
  return [...pattern].every((char, i) => char === "." || char === module[from + i]);
}
