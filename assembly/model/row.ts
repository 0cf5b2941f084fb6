// Where a token of a batch belongs: its own place in a struct, which whatever works on rows can read.

import { run } from "./run_state";
import { Sequence } from "./sequence";

@unmanaged
export class Row {
  sequence: Sequence;
  position: i32;
}

export const ROW_BYTES: usize = offsetof<Row>();

/** Row `t` of the batch. */
// @ts-ignore: decorator
@inline
export function rowAt(t: i32): Row {
  return changetype<Row>(run.rows + <usize>t * ROW_BYTES);
}
