// Buffers of a forward pass. `batch` = MAX_BATCH rows; all f32 unless said.

import { activationBytes } from "../kernels/matmul/activations";
import { matmulScratch } from "../kernels/matmul/matmul";
import { ropeFrequencies } from "../kernels/rope";
import { RELAXED } from "../kernels/simd";
import { MAX_BATCH, MAX_SEQUENCES, RUN_BYTES } from "../layout/abi";
import { carve } from "../runtime/carve";
import { runStateAddress, STRUCT_BYTES } from "../runtime/memory";
import { config, kvWidth, queryWidth } from "./config";
import { carveScratch, prepareScratch } from "./scratch";
import { weights } from "./weights";

@unmanaged
export class RunState {
  x: usize; // the residual stream: [batch][hidden]
  normed: usize; // [batch][hidden]
  quantized: usize; // input of a matrix: [batch] of activations (kernels/matmul/activations.ts), wide enough for any
  query: usize; // [batch][heads * headSize]
  key: usize; // [batch][kvHeads * headSize]
  value: usize; // [batch][kvHeads * headSize]
  attended: usize; // [batch][heads * headSize]
  gate: usize; // [batch][intermediate]
  up: usize; // [batch][intermediate]
  turns: usize; // rotations of each position: [batch][headSize / 2][4]
  frequencies: usize; // f64[headSize / 2]
  scratch: usize; // scratch.ts, of each thread
  product: usize; // scratch of a matmul
  pages: usize; // kv_cache.ts
  sequences: usize; // sequence.ts
  tokens: usize; // u32[batch]
  rows: usize; // Row[batch]: where each of them belongs (batch.ts)
  runs: usize; // RUN_*[MAX_SEQUENCES], the batch as the host says it
  overflows: usize; // f32[batch]: a row's first activation that was too large, 0: none
  runCount: i32; // runs of the last pass
  count: i32; // tokens of the last pass, once all layers have run
  entered: i32; // tokens of the pass of which layers have still to run, 0: none
  layer: i32; // the next
  firstRow: i32; // which of them the first row of logits belongs to
  rowCount: i32; // rows of logits that have been computed of them
}

// @ts-ignore: decorator
@lazy
export const run = changetype<RunState>(runStateAddress());
if (offsetof<RunState>() > STRUCT_BYTES) ERROR("RunState is larger than STRUCT_BYTES");

/** Records that an activation of row `t`, or a sum of them, is too large to go on with. */
export function recordOverflow(t: i32, value: f32): void {
  const at = run.overflows + 4 * <usize>t;
  if (load<f32>(at) == 0) store<f32>(at, isNaN(value) ? Infinity : value);
}

/** Row `index` of f32[...][width] at `buffer`. */
// @ts-ignore: decorator
@inline
export function row(buffer: usize, index: i32, width: i32): usize {
  return buffer + 4 * <usize>index * <usize>width;
}

/** Carves the buffers, which are written to only when memory is there. */
export function carveRunState(): void {
  const row: u64 = 4 * MAX_BATCH;
  const widest = max(max(config.hidden, queryWidth()), config.intermediate);
  const inLayers = config.layers > 0 ? row : 0; // of what only layers use
  run.x = carve(row * config.hidden);
  run.normed = carve(row * config.hidden);
  run.quantized = carve(<u64>MAX_BATCH * activationBytes(widest, RELAXED));
  run.query = carve(inLayers * queryWidth());
  run.key = carve(inLayers * kvWidth());
  run.value = carve(inLayers * kvWidth());
  run.attended = carve(inLayers * queryWidth());
  run.gate = carve(inLayers * config.intermediate);
  run.up = carve(inLayers * config.intermediate);
  run.turns = carve(row * config.headSize * 2);
  run.frequencies = carve(<u64>config.headSize * 4);
  run.scratch = carveScratch();
  run.product = carve(matmulScratch());
  run.tokens = carve(row);
  run.runs = carve(MAX_SEQUENCES * RUN_BYTES);
  run.overflows = carve(row);
}

/** What can be computed only when memory and weights are there. */
export function prepareRunState(): void {
  ropeFrequencies(
    run.frequencies,
    config.headSize,
    config.ropeTheta,
    config.ropeScale,
    weights.ropeFactors,
    config.yarnContext,
  );
  prepareScratch(run.scratch);
}

/** Forgets the last forward pass. */
export function resetRunState(): void {
  run.count = 0;
  run.entered = 0;
  run.rowCount = 0;
}
