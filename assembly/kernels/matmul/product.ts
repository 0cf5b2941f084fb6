// One product of a matrix and activations: what the threads that share it read.

import { RELAXED } from "../simd";
import { activationRow, zerosOffset } from "./activations";
import { Matrix } from "./matrix";

/** out f32[tokens][m.rows] = M x */
@unmanaged
export class Product {
  out: usize;
  m: Matrix;
  x: usize; // activations (activations.ts) of the tokens
  tokens: i32;
  step: i32; // tiles of a chunk
  chunks: i32;
  kernels: i32; // KERNEL_* of layout/abi.ts
  plane: usize; // of the activations that int8 weights meet whole: 0 (x) or PLANE_UNSIGNED

  /** Whether activations are i8. */
  get narrow(): bool {
    return RELAXED && !this.m.wideInput;
  }
  /** From a row's biases to what sums begin at, in bytes a token (activations.ts). */
  get starts(): usize {
    return this.m.minimums ? zerosOffset(this.m.columns) : 0;
  }
  /** The activations from token `t` on, whose number is even. */
  row(t: i32): usize {
    return activationRow(this.x, t, this.m.columns, this.narrow);
  }
}
