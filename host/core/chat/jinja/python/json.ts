// json.loads() of an object that is known to be JSON: other than JSON.parse() it keeps 1.0 apart from 1, and all keys in
// their order.

import type { Runtime } from "./runtime.js";
import { Dict, type Value } from "./values.js";

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{}]|[^\s[\]{}:,"]+/g;

/**
 * @param text valid JSON of an object
 * @param change what becomes of strings and keys
 */
export function parseJson(text: string, change: (text: string) => string, runtime: Runtime): Dict {
  const tokens = text.match(TOKEN) ?? [];
  let at = 0;
  const string = (token: string) => change(JSON.parse(token) as string);

  function value(): Value {
    const token = tokens[at++]!;
    if (token === "{") return object();
    if (token === "[") {
      const items: Value[] = [];
      while (tokens[at] !== "]") items.push(value());
      at++;
      return items;
    }
    if (token.startsWith('"')) return string(token);
    if (token === "true" || token === "false") return token === "true";
    if (token === "null") return null;
    return /[.eE]/.test(token) ? Number(token) : BigInt(token);
  }

  function object(): Dict {
    const dict = new Dict(runtime);
    while (tokens[at] !== "}") {
      const key = string(tokens[at++]!);
      dict.set(key, value());
    }
    at++;
    return dict;
  }

  at++;
  return object();
}
