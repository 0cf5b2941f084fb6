// The core once more, as its own build, with doors that calibration needs: layers run one by one, the inputs of their
// matrices are there to be read, and matrices can be replaced. Other builds have none of this.

import { SITE_ATTENDED, SITE_ATTENTION, SITE_FEED_FORWARD, SITE_GATED, STEP_FEED_FORWARD } from "./layout/calibration";
import { feedWeights, repackFrom } from "./load/pack";
import { oneRun, placeRows } from "./model/batch";
import { config, queryWidth } from "./model/config";
import { run } from "./model/run_state";
import { attention, embedTokens, feedForward, norm, prepareTurns } from "./model/transformer";
import { layer, weights } from "./model/weights";
import { io } from "./runtime/memory";

export * from "./index";

/** Fills residual() with the embeddings of the first `count` (1..MAX_BATCH) tokens of batch(), which must be valid. */
export function embed(count: i32): void {
  embedTokens(count);
}

/**
 * Runs one half of a layer, STEP_*, on `count` (1..MAX_BATCH) tokens of residual() at `position`, whose predecessors
 * have been run.
 */
export function runStep(step: i32, index: i32, count: i32, position: i32): void {
  if (step == STEP_FEED_FORWARD) return feedForward(layer(index), index, count);
  oneRun(count, position);
  placeRows(1);
  prepareTurns(count);
  attention(layer(index), index, count);
}

/**
 * f32[count][siteWidth(site)]: what matrices of a layer read, SITE_*, of the `count` tokens in residual(). Before the
 * step: the normed residual stream; after it: what the step's last matrix has read.
 */
export function input(site: i32, index: i32, count: i32): usize {
  if (site == SITE_ATTENDED) return run.attended;
  if (site == SITE_GATED) return run.gate;
  let weight = weights.outputNorm;
  if (site == SITE_ATTENTION) weight = layer(index).attentionNorm;
  else if (site == SITE_FEED_FORWARD) weight = layer(index).feedForwardNorm;
  norm(0, weight, count);
  return run.normed;
}

/** Columns of the matrices that read a site. */
export function siteWidth(site: i32): i32 {
  return site == SITE_ATTENDED ? queryWidth() : site == SITE_GATED ? config.intermediate : config.hidden;
}

/**
 * The next `length` bytes of the new contents of tensor `index`, in the type it was loaded with, from the I/O buffer;
 * `first` starts.
 */
export function repack(index: i32, first: bool, length: u32): i32 {
  if (first) repackFrom(index);
  return feedWeights(io(), length);
}
