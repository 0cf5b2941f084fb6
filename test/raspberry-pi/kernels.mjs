// Prints the SHA-256 of the logits that each choice of kernels (KERNEL_* of assembly/layout/abi.ts) gives in the relaxed build, by model:
// arm64's dot takes signed bytes.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { open, pass, VOCABULARY } from "./core.mjs";

const [STREAMS, ADD, BYTES_SIGNED] = [1 | 2, 4, 16];
const CHOICES = { i16: 0, streams: STREAMS, dot: ADD, "dot, whole bytes": STREAMS | ADD | BYTES_SIGNED };
const BATCHES = [23, 1, 2, 5];

const read = (path) => readFileSync(new URL(path, import.meta.url));

function sha256(core, kernels) {
  core.setKernels(kernels);
  const hash = createHash("sha256");
  let position = 0;
  for (const count of BATCHES) {
    pass(core, count, position);
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
      core.setLength(0, 0);
      return [name, sha256(core, kernels)];
    }),
  );
}
console.log(JSON.stringify(hashes));
