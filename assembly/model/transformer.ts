// The forward pass of a Llama model, top to bottom.
//
// `count` tokens at consecutive positions go through together; every step works on all of them, one row of a buffer each.
// Nothing that a token computes depends on which others it travels with, so any split of a prompt gives the same bits.

import { add, swiglu } from "../kernels/elementwise";
import { activationBytes, quantize } from "../kernels/matmul/activations";
import { dequantizeRow, matmul } from "../kernels/matmul/matmul";
import { rmsNorm } from "../kernels/norm";
import { rope, ropeTurns } from "../kernels/rope";
import { RELAXED } from "../kernels/simd";
import { attend } from "./attend";
import { config, kvWidth, queryWidth } from "./config";
import { storeKeyValue } from "./kv_cache";
import { run } from "./run_state";
import { Layer, layer, weights } from "./weights";

/** Runs `count` tokens of run.tokens at positions `first`...; leaves the residual stream in run.x and fills the KV cache. */
export function forward(count: i32, first: i32): void {
  for (let t = 0; t < count; t++) {
    dequantizeRow(row(run.x, t, config.hidden), weights.embedding, load<u32>(run.tokens + 4 * t));
    ropeTurns(row(run.turns, t, 2 * config.headSize), run.frequencies, config.headSize, first + t);
  }
  for (let l = 0; l < config.layers; l++) {
    attention(layer(l), l, count, first);
    feedForward(layer(l), count);
  }
}

/** x += Wo attend(rope(Wq n), rope(Wk n), Wv n), where n = norm(x). */
export function attention(w: Layer, l: i32, count: i32, first: i32): void {
  const wide = w.query.wide || w.key.wide || w.value.wide;
  normAndQuantize(run.x, w.attentionNorm, count, wide);
  matmul(run.query, w.query, run.quantized, count, !wide);
  matmul(run.key, w.key, run.quantized, count, !wide);
  matmul(run.value, w.value, run.quantized, count, !wide);
  for (let t = 0; t < count; t++) {
    const query = row(run.query, t, queryWidth());
    const key = row(run.key, t, kvWidth());
    const turns = row(run.turns, t, 2 * config.headSize);
    rope(query, config.heads, config.headSize, turns);
    rope(key, config.kvHeads, config.headSize, turns);
    storeKeyValue(l, first + t, key, row(run.value, t, kvWidth()));
  }
  attend(l, count, first);
  quantizeRows(run.attended, queryWidth(), count, w.output.wide);
  matmul(run.normed, w.output, run.quantized, count, !w.output.wide);
  add(run.x, run.normed, count * config.hidden);
}

/** x += Wdown (silu(Wgate n) * (Wup n)), where n = norm(x). */
export function feedForward(w: Layer, count: i32): void {
  const wide = w.gate.wide || w.up.wide;
  normAndQuantize(run.x, w.feedForwardNorm, count, wide);
  matmul(run.gate, w.gate, run.quantized, count, !wide);
  matmul(run.up, w.up, run.quantized, count, !wide);
  swiglu(run.gate, run.up, count * config.intermediate);
  quantizeRows(run.gate, config.intermediate, count, w.down.wide);
  matmul(run.normed, w.down, run.quantized, count, !w.down.wide);
  add(run.x, run.normed, count * config.hidden);
}

/** The last norm's states f32[count][hidden] of the tokens `first`... of the last forward pass, in run.normed. */
export function normed(first: i32, count: i32): usize {
  for (let t = 0; t < count; t++) {
    const target = row(run.normed, t, config.hidden);
    rmsNorm(target, row(run.x, first + t, config.hidden), weights.outputNorm, config.hidden, config.normEpsilon);
  }
  return run.normed;
}

/** LM head: logits f32[count][vocabulary] of the tokens `first`... of the last forward pass. */
export function project(target: usize, first: i32, count: i32): void {
  normAndQuantize(row(run.x, first, config.hidden), weights.outputNorm, count, weights.head.wide);
  matmul(target, weights.head, run.quantized, count, !weights.head.wide);
}

// Rows

// @ts-ignore: decorator
@inline
function row(buffer: usize, index: i32, width: i32): usize {
  return buffer + 4 * <usize>index * <usize>width;
}

function normAndQuantize(x: usize, weight: usize, count: i32, wide: bool): void {
  for (let t = 0; t < count; t++) {
    const normed = row(run.normed, t, config.hidden);
    rmsNorm(normed, row(x, t, config.hidden), weight, config.hidden, config.normEpsilon);
  }
  quantizeRows(run.normed, config.hidden, count, wide);
}

function quantizeRows(source: usize, width: i32, count: i32, wide: bool): void {
  const narrow = RELAXED && !wide;
  const stride = activationBytes(width, narrow);
  for (let t = 0; t < count; t++)
    quantize(run.quantized + <usize>t * stride, row(source, t, width), width, wide, narrow);
}
