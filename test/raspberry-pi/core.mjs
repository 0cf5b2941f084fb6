// The core by itself, in arm64 Node: a build that has read a file, and passes over made-up tokens.

import { readFileSync } from "node:fs";

const HEADER_READY = 2;
const LOADED = 3;
const IO_BYTES = 1 << 20;
export const VOCABULARY = 6;

/** @param {Uint8Array} file */
export function open(file, build = "relaxed", contextLength = 0) {
  const wasm = readFileSync(new URL(`../../dist/zagreus-${build}.wasm`, import.meta.url));
  const core = new WebAssembly.Instance(new WebAssembly.Module(wasm)).exports;
  core.begin(contextLength, 0, 0, 1, 0);
  for (let at = 0; at < file.length; at += IO_BYTES) {
    const piece = file.subarray(at, at + IO_BYTES);
    new Uint8Array(core.memory.buffer, core.buffer(), piece.length).set(piece);
    for (let status = core.feed(piece.length); status === HEADER_READY; ) status = core.plan();
  }
  if (core.end() !== LOADED) throw new Error("the model is incomplete");
  return core;
}

/** Runs `count` tokens from `position` on. */
export function pass(core, count, position) {
  const tokens = Array.from({ length: count }, (_, i) => ((position + i) * 31 + 7) % core.info(VOCABULARY));
  new Uint32Array(core.memory.buffer, core.batch(), count).set(tokens);
  if (core.forward(count, position) !== 0) throw new Error("forward() failed");
}
