// FILE BUILD KERNELS BATCH PASSES: passes over a batch, with the logits of its last token. What instructions.mjs counts.

import { readFileSync } from "node:fs";
import { open, pass } from "./core.mjs";

const [file, build, kernels, batch, passes] = process.argv.slice(2);
const count = Number(batch);
const core = open(readFileSync(file), build, 256);
core.setKernels(Number(kernels));
for (let position = 0; position < count * Number(passes); position += count) {
  pass(core, count, position);
  core.logits(count - 1, 1);
}
