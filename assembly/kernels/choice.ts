// Which kernels run: KERNEL_* of layout/abi.ts, all of the same bits. Only the caller's thread asks; what others need goes with the job.

import { KERNEL_ALONE } from "../layout/abi";
import { computeAlone } from "../runtime/threads";

let chosen: i32 = 0;

/** Chooses the kernels of what is computed next, and whether other threads help. */
export function setKernels(flags: i32): void {
  chosen = flags;
  computeAlone((flags & KERNEL_ALONE) != 0);
}

/** A sum of KERNEL_*. */
export function kernels(): i32 {
  return chosen;
}
