// The tokens that a smaller vocabulary cannot be without, whatever texts it is for.

import { TOKEN_BYTE, TOKEN_NORMAL, TOKEN_UNUSED } from "../../assembly/layout/gguf.js";
import type { Metadata } from "../checkpoint/metadata.js";
import { idsInMetadata } from "./trimmed.js";
import type { Vocabulary } from "./vocabulary.js";

const NUMBER = /^\d{1,3}$/;
const TEMPLATE_KEY = /^tokenizer\.chat_template(\.|$)/;
const BYTES = 256;
/** llama.cpp takes the first ids for special tokens where a file does not say. */
const FIRST = 3;

/** What structured output is written with: pieces that stand in JSON of any content. */
const JSON_TEXT = `{"a":"b","c":1,"d":[],"e":{},"f":""} {"a": "b", "c": [1, 2.5], "d": null, "e": true, "f": false}
{
  "a": "b",
  "c": [
    {
      "d": {}
    },
    "e", -1.5e-10
  ]
}
[{"a":[["b"],["c"]]},{"d":{"e":{}}}],\\"f\\"\\n\\u00e8":{"\`\`\`json\n`;

/** Ids of bytes, of special tokens, and of numbers of up to three digits. */
export function requiredIds(vocabulary: Vocabulary, metadata: Metadata): number[] {
  const { tokens, types, model } = vocabulary;
  const bytes = types.filter((type) => type === TOKEN_BYTE).length;
  const characters = model === "gpt2" || bytes < BYTES; // the bytes of byte-level BPE; or all that a text can be written with
  const isNeeded = (id: number) =>
    types[id] === TOKEN_NORMAL
      ? NUMBER.test(tokens[id]!) || (characters && isCharacter(tokens[id]!))
      : types[id] !== TOKEN_UNUSED;
  const first = model === "llama" ? Array.from({ length: Math.min(FIRST, tokens.length) }, (_, id) => id) : [];
  return [...first, ...idsInMetadata(metadata), ...[...tokens.keys()].filter(isNeeded)];
}

function isCharacter(token: string): boolean {
  return token.length <= 2 && [...token].length === 1;
}

/** Texts whose tokens stay: chat templates, and JSON. */
export function requiredTexts(metadata: Metadata): string[] {
  const templates = [...metadata].filter(([key, { value }]) => TEMPLATE_KEY.test(key) && typeof value === "string");
  return [JSON_TEXT, ...templates.map(([, { value }]) => value as string)];
}
