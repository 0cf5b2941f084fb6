// The one way to a matrix in the forward pass. How many bits the activations have is decided by the matrix, when it is bound
// (Matrix.wideInput); nobody else asks for it.

import { ACTIVATION_LIMIT, activationBytes, quantize } from "../kernels/matmul/activations";
import { matmul } from "../kernels/matmul/matmul";
import { Matrix } from "../kernels/matmul/matrix";
import { RELAXED } from "../kernels/simd";
import { recordOverflow, row, run } from "./run_state";

/** Prepares x f32[count][w.columns] as the input of w, and of all matrices that read the same. */
export function quantizeInput(x: usize, w: Matrix, count: i32): void {
  const narrow = RELAXED && !w.wideInput;
  const stride = activationBytes(w.columns, narrow);
  for (let t = 0; t < count; t++) {
    const target = run.quantized + <usize>t * stride;
    const largest = quantize(target, row(x, t, w.columns), w.columns, w.wideInput, narrow);
    if (!(largest < ACTIVATION_LIMIT)) recordOverflow(largest);
  }
}

/** out f32[count][w.rows] = W x, with the x that quantizeInput() has prepared. */
export function linear(out: usize, w: Matrix, count: i32): void {
  matmul(out, w, run.quantized, count);
}
