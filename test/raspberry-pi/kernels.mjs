// Prints the SHA-256 of the logits that each choice of kernels (KERNEL_* of assembly/layout/abi.ts) gives in the relaxed build, by model:
// arm64's dot takes signed bytes.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const HEADER_READY = 2;
const LOADED = 3;
const IO_BYTES = 1 << 20;
const VOCABULARY = 6;
const [STREAMS, ADD, BYTES_SIGNED] = [1 | 2, 4, 16];
const CHOICES = { i16: 0, streams: STREAMS, dot: ADD, "dot, whole bytes": STREAMS | ADD | BYTES_SIGNED };
const BATCHES = [23, 1, 2, 5];

const read = (path) => readFileSync(new URL(path, import.meta.url));
const module = new WebAssembly.Module(read("../../dist/zagreus-relaxed.wasm"));

function open(file) {
  const core = new WebAssembly.Instance(module).exports;
  core.begin(0, 0, 0);
  for (let at = 0; at < file.length; at += IO_BYTES) {
    const piece = file.subarray(at, at + IO_BYTES);
    new Uint8Array(core.memory.buffer, core.buffer(), piece.length).set(piece);
    for (let status = core.feed(piece.length); status === HEADER_READY; ) status = core.plan();
  }
  if (core.end() !== LOADED) throw new Error("the model is incomplete");
  return core;
}

function sha256(core, kernels) {
  core.setKernels(kernels);
  const hash = createHash("sha256");
  let position = 0;
  for (const count of BATCHES) {
    const tokens = Array.from({ length: count }, (_, i) => ((position + i) * 31 + 7) % core.info(VOCABULARY));
    new Uint32Array(core.memory.buffer, core.batch(), count).set(tokens);
    if (core.forward(count, position) !== 0) throw new Error("forward() failed");
    position += count;
    for (let row = Math.max(0, count - 8); row < count; row++) {
      hash.update(new Uint8Array(core.memory.buffer, core.logits(row, 1), 4 * core.info(VOCABULARY)));
    }
  }
  return hash.digest("hex");
}

const MODELS = { Q4_0: "../fixtures/models/zagreus-nano-Q4_0.gguf", Q8_0: "../../host/models/zagreus-nano-Q8_0.gguf" };
const hashes = {};
for (const [model, path] of Object.entries(MODELS)) {
  const core = open(read(path));
  hashes[model] = Object.fromEntries(
    Object.entries(CHOICES).map(([name, kernels]) => {
      core.kvSetLength(0);
      return [name, sha256(core, kernels)];
    }),
  );
}
console.log(JSON.stringify(hashes));
