// One pass over rows of several sequences, and what is computed of them.

import { LOGIT_ROWS, MAX_BATCH, RUN_BYTES } from "../../../../assembly/layout/abi.js";
import { PAGE_TOKENS } from "../../kv/page_tree.js";
import { type Flight, freeRows } from "./elsewhere.js";
import type { Segment } from "./job.js";
import type { Machine } from "./machine.js";
import { isShort, ROWS } from "./plan.js";

/**
 * Milliseconds after which a pass lets the event loop come round, and an abort be seen, and that a prompt may take at most where one layer of
 * the smallest batch does not take longer. Batches run some layers at a time: larger ones cost less. What a token costs more than in
 * batches of 64 (0.4B, Q4_0, simd, 1 thread, CPU time): 18 % with 8 rows, 6 % with 16, 3 % with 24.
 */
const STEP_MS = 12;
const MAX_LAYER_MS = 100;

/** Rows of a prompt to run together so that a layer takes no longer; a clock that stands still, as Cloudflare's, tells 0. */
export function promptRows({ info, tokenMs, elsewhere }: Machine): number {
  if (elsewhere) return elsewhere.rows;
  const rows = ROWS * Math.floor((MAX_LAYER_MS * info.layers) / (ROWS * tokenMs));
  return Math.max(ROWS, Math.min(rows, MAX_BATCH));
}

/**
 * Runs all layers; what is short runs at once.
 * @param alive called every now and then; says whether there is still somebody to run for
 * @returns whether it came to its end
 */
export async function runLayers(
  machine: Machine,
  segments: readonly Segment[],
  alive: () => boolean,
): Promise<boolean> {
  const { layers } = machine.info;
  const rows = segments.reduce((sum, { count }) => sum + count, 0);
  const whole = segments.length === 1 && isShort(segments[0]!.job);
  const layerMs = (machine.tokenMs * rows) / layers;
  const step = whole ? layers : Math.max(1, Math.min(Math.floor(STEP_MS / layerMs), layers));
  let spent = 0;
  for (let left = layers; left > 0; ) {
    if (left < layers || !whole) {
      await machine.rest();
      if (!alive()) return false;
    }
    const { core } = machine;
    const begun = performance.now();
    if (left === layers) begin(machine, segments);
    left = core.counted(core.exports.forwardLayers(step));
    spent += performance.now() - begun;
  }
  if (rows >= ROWS) machine.tokenMs = spent / rows;
  return true;
}

/** Has the rows of segments go through the layers elsewhere, behind those that are under way. */
export function depart(machine: Machine, segments: readonly Segment[]): Flight {
  const { elsewhere } = machine;
  const { states, overflows } = enter(machine, segments);
  const runs = segments.map(({ job, position, count }) => {
    return { position, count, pages: job.kv.table.slice(0, Math.ceil((position + count) / PAGE_TOKENS)) };
  });
  const flight: Flight = { segments, landed: Promise.resolve() };
  const answer = elsewhere!.send(runs, { states: states.slice(), overflows: overflows.slice() });
  flight.landed = answer.then(
    (rows) => {
      flight.rows = rows;
    },
    (error) => {
      flight.failure = { error };
    },
  );
  return flight;
}

/** Puts rows that are back where the core has those of its last pass. */
export function arrive(machine: Machine, { segments, rows }: Flight): void {
  const { states, overflows } = enter(machine, segments);
  states.set(rows!.states);
  overflows.set(rows!.overflows);
  freeRows(rows!);
}

/** Enters the rows of segments into a core without layers: views of what travels. */
function enter(machine: Machine, segments: readonly Segment[]) {
  const { core, info } = machine;
  for (const { job, position } of segments) core.check(core.exports.setLength(job.kv.index, position));
  begin(machine, segments);
  core.counted(core.exports.forwardLayers(1));
  const rows = segments.reduce((sum, { count }) => sum + count, 0);
  return {
    states: core.floats(core.exports.residual(), rows * info.hidden),
    overflows: core.floats(core.exports.overflows(), rows),
  };
}

function begin({ core }: Machine, segments: readonly Segment[]): void {
  const { exports } = core;
  const records = core.words(exports.runs(), (segments.length * RUN_BYTES) / 4);
  const tokens = core.words(exports.batch(), MAX_BATCH);
  segments.forEach(({ job, row, position, count }, i) => {
    records.set([job.kv.index, position, count], (i * RUN_BYTES) / 4);
    for (let j = 0; j < count; j++) tokens[row + j] = job.tokens[position + j]!;
  });
  core.check(exports.beginForward(segments.length));
}

/** The rows of segments that their jobs want to have: neighbours of one kind, as many as one projection takes. */
export function wantedRows(segments: readonly Segment[]): Segment[][] {
  const groups: Segment[][] = [];
  let end = -1; // of the last group, in the batch
  let room = 0;
  for (const { job, row, position, count } of segments) {
    const skipped = Math.max(job.next - position, 0);
    for (let done = skipped; done < count; ) {
      const kind = groups.at(-1)?.[0]?.job.work.states;
      if (row + done !== end || room === 0 || kind !== job.work.states) {
        groups.push([]);
        room = LOGIT_ROWS;
      }
      const some = Math.min(count - done, room);
      groups.at(-1)!.push({ job, row: row + done, position: position + done, count: some });
      done += some;
      room -= some;
      end = row + done;
    }
  }
  return groups;
}
