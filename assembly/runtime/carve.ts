// Lays buffers out one behind the other, each from a cache line on. Nothing is touched: carving from 0 measures, and what is carved
// behind the end of memory shows in carvedEnd(), which alone does not wrap at 4 GiB.

import { align64 } from "./memory";

let end: u64 = 0;

/** Goes on at `at`. */
export function carveFrom(at: u64): void {
  end = align64(at);
}
/** Address of the next `bytes`. */
export function carve(bytes: u64): usize {
  const at = end;
  end = align64(at + bytes);
  return <usize>at;
}
/** End of what has been carved. */
export function carvedEnd(): u64 {
  return end;
}
