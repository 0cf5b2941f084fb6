// The forward pass of a Llama model, top to bottom.
//
// `count` tokens go through together, of one sequence or several (batch.ts); every step works on all of them, one row of a buffer each.
// Nothing that a token computes depends on which others it travels with, so any split of a prompt, and any company, gives the same bits.

import { add, swiglu } from "../kernels/elementwise";
import { dequantizeRow } from "../kernels/matmul/matmul";
import { rmsNorm } from "../kernels/norm";
import { rope, ropeTurns } from "../kernels/rope";
import { SITE_DOWN, SITE_GATE, SITE_OUTPUT, SITE_QUERY } from "../layout/adapters";
import { adapt, adapt2, adapt3 } from "./adapters";
import { attend } from "./attend";
import { config, kvWidth, queryWidth } from "./config";
import { storeKeyValue } from "./kv_cache";
import { linear, linear2, linear3, quantizeInput } from "./linear";
import { rowAt } from "./row";
import { recordOverflow, row, run } from "./run_state";
import { Layer, layer, weights } from "./weights";

/** Makes `count` tokens of run.tokens ready to be run where their rows say. Elsewhere than at the edge run.x comes from the host. */
export function enter(count: i32): void {
  if (config.edge) embedTokens(count);
  prepareTurns(count);
}

/** Runs layers `from`..`end` - 1, the first of which comes after enter(): they change run.x and fill the KV cache. */
export function runLayers(from: i32, end: i32, count: i32): void {
  for (let l = from; l < end; l++) {
    attention(layer(l), l, count);
    feedForward(layer(l), l, count);
  }
}

/** run.x [count][hidden] = the embeddings of run.tokens. */
export function embedTokens(count: i32): void {
  for (let t = 0; t < count; t++) {
    dequantizeRow(row(run.x, t, config.hidden), weights.embedding, load<u32>(run.tokens + 4 * t));
  }
}

/** The rotations of every row's position. */
export function prepareTurns(count: i32): void {
  for (let t = 0; t < count; t++) {
    const turns = row(run.turns, t, 2 * config.headSize);
    ropeTurns(turns, run.frequencies, config.headSize, rowAt(t).position, config.ropeMagnitude);
  }
}

/** x += Wo attend(rope(Wq n), rope(Wk n), Wv n), where n = norm(x). */
export function attention(w: Layer, l: i32, count: i32): void {
  norm(0, w.attentionNorm, count);
  quantizeInput(run.normed, w.query, count);
  // [heads * headSize, hidden] n, [kvHeads * headSize, hidden] n, [kvHeads * headSize, hidden] n
  linear3(run.query, w.query, run.key, w.key, run.value, w.value, count);
  adapt3(l, SITE_QUERY, run.query, run.key, run.value, count);
  for (let t = 0; t < count; t++) {
    const query = row(run.query, t, queryWidth());
    const key = row(run.key, t, kvWidth());
    const turns = row(run.turns, t, 2 * config.headSize);
    rope(query, config.heads, config.headSize, turns);
    rope(key, config.kvHeads, config.headSize, turns);
    storeKeyValue(l, t, key, row(run.value, t, kvWidth()));
  }
  attend(l, count);
  quantizeInput(run.attended, w.output, count);
  linear(run.normed, w.output, count); // [hidden, heads * headSize] attended
  adapt(l, SITE_OUTPUT, run.normed, count);
  add(run.x, run.normed, count * config.hidden);
}

/** x += Wdown (silu(Wgate n) * (Wup n)), where n = norm(x). */
export function feedForward(w: Layer, l: i32, count: i32): void {
  norm(0, w.feedForwardNorm, count);
  quantizeInput(run.normed, w.gate, count);
  linear2(run.gate, w.gate, run.up, w.up, count); // [intermediate, hidden] n, both
  adapt2(l, SITE_GATE, run.gate, run.up, count);
  swiglu(run.gate, run.up, count * config.intermediate);
  quantizeInput(run.gate, w.down, count);
  linear(run.normed, w.down, count); // [hidden, intermediate] gate
  adapt(l, SITE_DOWN, run.normed, count);
  add(run.x, run.normed, count * config.hidden);
}

/** run.normed [count][hidden] = RMSNorm of the rows `first`... of run.x. */
export function norm(first: i32, weight: usize, count: i32): void {
  for (let t = 0; t < count; t++) {
    const normed = row(run.normed, t, config.hidden);
    const squares = rmsNorm(normed, row(run.x, first + t, config.hidden), weight, config.hidden, config.normEpsilon);
    if (!(squares < Infinity)) recordOverflow(first + t, squares);
  }
}

/** The last norm's states f32[count][hidden] of the tokens `first`... of the last forward pass, in run.normed. */
export function finalNorm(first: i32, count: i32): usize {
  norm(first, weights.outputNorm, count);
  return run.normed;
}

/** LM head: logits f32[count][vocabulary] of the tokens `first`... of the last forward pass. */
export function project(logits: usize, first: i32, count: i32): void {
  quantizeInput(finalNorm(first, count), weights.head, count, first);
  linear(logits, weights.head, count); // [vocabulary, hidden] n
}
