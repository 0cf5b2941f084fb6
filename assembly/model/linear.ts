// The one way to a matrix in the forward pass. How many bits the activations have is decided by the matrix, when it is bound
// (Matrix.wideInput); nobody else asks for it.

import { ACTIVATION_LIMIT, quantize, sumGroups } from "../kernels/matmul/activations";
import { prepareProduct, runProducts } from "../kernels/matmul/matmul";
import { Matrix } from "../kernels/matmul/matrix";
import { RELAXED } from "../kernels/simd";
import { recordOverflow, row, run } from "./run_state";

/** Prepares x f32[count][w.columns], of rows `first`..., as the input of w, and of all matrices that read the same. */
export function quantizeInput(x: usize, w: Matrix, count: i32, first: i32 = 0): void {
  const narrow = RELAXED && !w.wideInput;
  for (let t = 0; t < count; t++) {
    const largest = quantize(run.quantized, t, count, row(x, t, w.columns), w.columns, w.wideInput, narrow);
    if (!(largest < ACTIVATION_LIMIT)) recordOverflow(first + t, largest);
    if (w.sums) sumGroups(run.quantized, t, count, w.columns, narrow);
  }
}

/** out f32[count][w.rows] = W x, with the x that quantizeInput() has prepared. */
export function linear(out: usize, w: Matrix, count: i32): void {
  prepareProduct(0, out, w, run.quantized, count, run.product);
  runProducts(1, run.product);
}
/** Two of the same x at once. */
export function linear2(out0: usize, w0: Matrix, out1: usize, w1: Matrix, count: i32): void {
  prepareProduct(0, out0, w0, run.quantized, count, run.product);
  prepareProduct(1, out1, w1, run.quantized, count, run.product);
  runProducts(2, run.product);
}
/** Three. */
export function linear3(out0: usize, w0: Matrix, out1: usize, w1: Matrix, out2: usize, w2: Matrix, count: i32): void {
  prepareProduct(0, out0, w0, run.quantized, count, run.product);
  prepareProduct(1, out1, w1, run.quantized, count, run.product);
  prepareProduct(2, out2, w2, run.quantized, count, run.product);
  runProducts(3, run.product);
}
