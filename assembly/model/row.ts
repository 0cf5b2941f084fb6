// Where a token of a batch belongs: its own place in a struct, which whatever works on rows can read.

import { MAX_BATCH } from "../layout/abi";
import { carve } from "../runtime/carve";
import { run } from "./run_state";
import { Sequence } from "./sequence";

@unmanaged
export class Row {
  sequence: Sequence;
  position: i32;
}

const ROW_BYTES: usize = offsetof<Row>();

/** Carves the rows of a batch. */
export function carveRows(): void {
  run.rows = carve(<u64>MAX_BATCH * ROW_BYTES);
}

/** Row `t` of the batch. */
// @ts-ignore: decorator
@inline
export function rowAt(t: i32): Row {
  return changetype<Row>(run.rows + <usize>t * ROW_BYTES);
}
