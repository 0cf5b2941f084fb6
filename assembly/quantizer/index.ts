// The quantizer's ABI: a small module of its own, so that the runtime's core stays small. Addresses are bytes in the exported
// memory, all of which after __heap_base is the caller's.

export { addPull, compensate } from "./compensate";
export { addProducts, factorize, meanDiagonal } from "./hessian";
export { floats, round } from "./plain";

/** A 64-byte aligned address with room for `bytes`, always the same one; 0 when the engine refuses to grow memory. */
export function scratch(bytes: u32): usize {
  const start = (__heap_base + 63) & ~63;
  const end = <u64>start + bytes;
  const have = (<u64>memory.size()) << 16;
  if (end > have && memory.grow(<i32>((end - have + 0xffff) >> 16)) == -1) return 0;
  return start;
}
