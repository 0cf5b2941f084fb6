// A batch: rows of one or several sequences that go through the layers together. Nothing that a row computes depends on the others.

import { ACTIVATION_LIMIT } from "../kernels/matmul/activations";
import { MAX_BATCH, RUN_BYTES, RUN_COUNT, RUN_POSITION, RUN_SEQUENCE } from "../layout/abi";
import { BLOCK } from "../layout/kv";
import { ACTIVATION_OVERFLOW, BAD_OPTION, BAD_TOKEN, CONTEXT_OVERFLOW, OK } from "../layout/status";
import { failAt } from "../runtime/failure";
import { config } from "./config";
import { rowAt } from "./row";
import { resetRunState, run } from "./run_state";
import { Sequence, sequenceAt } from "./sequence";
import { enter } from "./transformer";

// @ts-ignore: decorator
@inline
function runAt(index: i32): usize {
  return run.runs + <usize>index * RUN_BYTES;
}

/** Says that the batch is `count` rows of the first sequence from `position` on. */
export function oneRun(count: i32, position: i32): void {
  const only = runAt(0);
  store<i32>(only, 0, RUN_SEQUENCE);
  store<i32>(only, position, RUN_POSITION);
  store<i32>(only, count, RUN_COUNT);
}

/** Checks the first `runs` runs and makes their rows ready for the first layer. OK | BAD_OPTION | BAD_TOKEN | CONTEXT_OVERFLOW */
export function enterBatch(runs: i32): i32 {
  if (runs < 1 || runs > config.sequences) return failAt(BAD_OPTION, "runs", runs, config.sequences);
  let count = 0;
  for (let i = 0; i < runs; i++) {
    const status = checkRun(i, count);
    if (status != OK) return status;
    count += load<i32>(runAt(i), RUN_COUNT);
  }
  const status = checkTokens("token", run.tokens, count);
  if (status != OK) return status;
  resetRunState();
  placeRows(runs);
  run.entered = count;
  run.runCount = runs;
  run.layer = 0;
  memory.fill(run.overflows, 0, 4 * MAX_BATCH);
  enter(count);
  return OK;
}

/** Checks a run with `before` rows of others in front of it. */
function checkRun(index: i32, before: i32): i32 {
  const at = runAt(index);
  const id = load<i32>(at, RUN_SEQUENCE);
  const position = load<i32>(at, RUN_POSITION);
  const count = load<i32>(at, RUN_COUNT);
  if (<u32>id >= <u32>config.sequences) return failAt(BAD_OPTION, "sequence", id, config.sequences - 1);
  for (let i = 0; i < index; i++) {
    if (load<i32>(runAt(i), RUN_SEQUENCE) == id) return failAt(BAD_OPTION, "sequence", id, index); // it has a run already
  }
  if (count < 1 || count > MAX_BATCH - before) return failAt(BAD_OPTION, "count", count, MAX_BATCH - before);
  const s = sequenceAt(id);
  if (position < 0 || position > s.length) return failAt(BAD_OPTION, "position", position, s.length);
  const end = position + count;
  if (end > config.context) return failAt(CONTEXT_OVERFLOW, "position", end, config.context);
  return checkPages(s, end);
}

/** Whether the vocabulary has all of u32[count]; only the edge asks what they are. */
function checkTokens(field: string, tokens: usize, count: i32): i32 {
  for (let i = 0; config.edge && i < count; i++) {
    const token = load<u32>(tokens + 4 * <usize>i);
    if (token >= <u32>config.vocabulary) return failAt(BAD_TOKEN, field, token, config.vocabulary);
  }
  return OK;
}

/** Whether the first `length` positions of a sequence have pages. */
function checkPages(s: Sequence, length: i32): i32 {
  for (let i = 0; i * BLOCK < length; i++) {
    const page = load<u32>(s.table + 4 * <usize>i);
    if (page >= <u32>config.pages) return failAt(BAD_OPTION, "page", page, config.pages - 1);
  }
  return OK;
}

/** Says where every row belongs, and cuts each sequence to the positions in front of its rows. */
export function placeRows(runs: i32): void {
  let t = 0;
  for (let i = 0; i < runs; i++) {
    const s = sequenceAt(load<i32>(runAt(i), RUN_SEQUENCE));
    const position = load<i32>(runAt(i), RUN_POSITION);
    const count = load<i32>(runAt(i), RUN_COUNT);
    memory.copy(s.history + 4 * <usize>position, run.tokens + 4 * <usize>t, 4 * <usize>count);
    s.length = position;
    for (let j = 0; j < count; j++, t++) {
      rowAt(t).sequence = s;
      rowAt(t).position = position + j;
    }
  }
}

/** All layers have run: the rows are in the cache, but for runs of which one has overflowed. */
export function leaveBatch(): void {
  run.count = run.entered;
  run.entered = 0;
  let t = 0;
  for (let i = 0; i < run.runCount; i++) {
    const count = load<i32>(runAt(i), RUN_COUNT);
    if (overflowOf(t, count) == 0) rowAt(t).sequence.length = rowAt(t).position + count;
    t += count;
  }
}

/** Whether rows `first`.. have kept within bounds; otherwise the failure is recorded. OK | ACTIVATION_OVERFLOW */
export function rowsStatus(first: i32, count: i32): i32 {
  const overflow = overflowOf(first, count);
  return overflow == 0 ? OK : failAt(ACTIVATION_OVERFLOW, "activation", overflow, ACTIVATION_LIMIT);
}
function overflowOf(first: i32, count: i32): f32 {
  for (let t = first; t < first + count; t++) {
    const overflow = load<f32>(run.overflows + 4 * <usize>t);
    if (overflow != 0) return overflow;
  }
  return 0;
}

/** Whether a sequence may have its first `length` positions: its history and its table say what they are. */
export function setSequenceLength(s: Sequence, length: i32): i32 {
  if (length < 0 || length > config.context) return failAt(CONTEXT_OVERFLOW, "length", length, config.context);
  let status = checkTokens("history", s.history, length);
  if (status == OK) status = checkPages(s, length);
  if (status != OK) return status;
  s.length = length;
  resetRunState();
  return OK;
}
