// Second moments of a matrix's inputs, H = sum of x x^T, and the triangular form that error compensation walks along.
//
// The error e of a row of weights changes the outputs by e H e^T in squares. With H = M D M^T, M upper triangular with
// ones on its diagonal (a Cholesky factorization from the last column to the first):
//
//     e H e^T = sum over columns j of D_j (e_j + sum over i < j of e_i M_ij)^2

import { f32x4Sum } from "../kernels/reduce";

/**
 * c f32[rows][columns] += y^T x, with y f32[count][rows] and x f32[count][columns]; both widths are multiples of 8.
 * With `upper` only what is not below the diagonal is right afterwards.
 */
export function addProducts(c: usize, y: usize, rows: i32, x: usize, columns: i32, count: i32, upper: bool): void {
  const stride: usize = 4 * <usize>columns;
  const step: usize = 4 * <usize>rows;
  const end = x + <usize>count * stride;
  for (let i: usize = 0; i < step; i += 16) {
    for (let j: usize = upper ? i & ~31 : 0; j < stride; j += 32) {
      // four rows of c, eight columns at a time, in registers
      let at = c + (i / 4) * stride + j;
      let a0 = v128.load(at);
      let b0 = v128.load(at, 16);
      at += stride;
      let a1 = v128.load(at);
      let b1 = v128.load(at, 16);
      at += stride;
      let a2 = v128.load(at);
      let b2 = v128.load(at, 16);
      at += stride;
      let a3 = v128.load(at);
      let b3 = v128.load(at, 16);
      for (let t = x, u = y + i; t < end; t += stride, u += step) {
        const a = v128.load(t + j);
        const b = v128.load(t + j, 16);
        let s = v128.load32_splat(u);
        a0 = f32x4.add(a0, f32x4.mul(a, s));
        b0 = f32x4.add(b0, f32x4.mul(b, s));
        s = v128.load32_splat(u, 4);
        a1 = f32x4.add(a1, f32x4.mul(a, s));
        b1 = f32x4.add(b1, f32x4.mul(b, s));
        s = v128.load32_splat(u, 8);
        a2 = f32x4.add(a2, f32x4.mul(a, s));
        b2 = f32x4.add(b2, f32x4.mul(b, s));
        s = v128.load32_splat(u, 12);
        a3 = f32x4.add(a3, f32x4.mul(a, s));
        b3 = f32x4.add(b3, f32x4.mul(b, s));
      }
      v128.store(at, a3);
      v128.store(at, b3, 16);
      at -= stride;
      v128.store(at, a2);
      v128.store(at, b2, 16);
      at -= stride;
      v128.store(at, a1);
      v128.store(at, b1, 16);
      at -= stride;
      v128.store(at, a0);
      v128.store(at, b0, 16);
    }
  }
}

/** Mean of the diagonal of h f32[width][width]. */
export function meanDiagonal(h: usize, width: i32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < width; i++) sum += load<f32>(entry(h, width, i, i));
  return sum / width;
}

/**
 * Makes h f32[width][width], given by its upper triangle, whole, divides it by its mean diagonal and adds `damping` to
 * the diagonal; then writes its factors to m f32[width][width]: D on the diagonal, M above it. A zero h counts as the
 * identity.
 * @param scratch f32[width]
 * @returns what h was multiplied by
 */
export function factorize(h: usize, m: usize, width: i32, damping: f32, scratch: usize): f32 {
  const mean = meanDiagonal(h, width);
  const scale = <f32>(mean > 0 ? 1 / mean : 0);
  for (let i = 0; i < width; i++) {
    for (let j = i; j < width; j++) {
      const value = load<f32>(entry(h, width, i, j)) * scale;
      store<f32>(entry(h, width, i, j), value);
      store<f32>(entry(h, width, j, i), value);
    }
    const diagonal = entry(h, width, i, i);
    store<f32>(diagonal, load<f32>(diagonal) + (mean > 0 ? damping : 1));
  }
  memory.copy(m, h, 4 * <usize>width * <usize>width);
  memory.fill(scratch, 0, 4 * <usize>width);
  for (let j = width - 1; j > 0; j--) eliminate(m, width, j, damping, scratch);
  return scale;
}

/**
 * Takes column j's share, D_j M_aj M_bj, from what is left of H above and before it. `column` becomes H's column j
 * above row j, then zeros.
 */
function eliminate(m: usize, width: i32, j: i32, damping: f32, column: usize): void {
  const pivot = entry(m, width, j, j);
  const d = max<f32>(load<f32>(pivot), damping * <f32>1e-3); // rounding must not make it negative
  store<f32>(pivot, d);
  for (let a = 0; a < j; a++) {
    const at = entry(m, width, a, j);
    const value = load<f32>(at);
    store<f32>(column + 4 * <usize>a, value);
    store<f32>(at, value / d);
  }
  store<f32>(column + 4 * <usize>j, 0);
  for (let a = 0; a < j; a++) {
    const factor = f32x4.splat(load<f32>(entry(m, width, a, j)));
    const target = entry(m, width, a, 0);
    for (let b = <usize>(a & ~3); b < <usize>j; b += 4) {
      v128.store(target + 4 * b, f32x4.sub(v128.load(target + 4 * b), f32x4.mul(factor, v128.load(column + 4 * b))));
    }
  }
}

// @ts-ignore: decorator
@inline
function entry(h: usize, width: i32, i: i32, j: i32): usize {
  return h + 4 * (<usize>i * <usize>width + <usize>j);
}

/** Replaces a row vector z, f32[width], by z H^-1, with the factors of factorize(). */
export function solve(z: usize, m: usize, width: i32): void {
  // y M^T = z, from the last column on
  const bytes: usize = 4 * <usize>width;
  for (let j = width - 1; j >= 0; j--) {
    let sum: f32 = 0;
    const row = entry(m, width, j, 0);
    let k = j + 1;
    for (; k < width && (k & 3) != 0; k++) sum += load<f32>(z + 4 * <usize>k) * load<f32>(row + 4 * <usize>k);
    let sums = f32x4.splat(0);
    for (let at: usize = 4 * <usize>k; at < bytes; at += 16) {
      sums = f32x4.add(sums, f32x4.mul(v128.load(z + at), v128.load(row + at)));
    }
    const at = z + 4 * <usize>j;
    store<f32>(at, load<f32>(at) - (sum + f32x4Sum(sums)));
  }
  for (let j = 0; j < width; j++) {
    const at = z + 4 * <usize>j;
    store<f32>(at, load<f32>(at) / load<f32>(entry(m, width, j, j)));
  }
  // x M = that, from the first
  for (let i = 0; i < width; i++) {
    const x = load<f32>(z + 4 * <usize>i);
    const row = entry(m, width, i, 0);
    let k = i + 1;
    for (; k < width && (k & 3) != 0; k++) {
      const at = z + 4 * <usize>k;
      store<f32>(at, load<f32>(at) - x * load<f32>(row + 4 * <usize>k));
    }
    const factor = f32x4.splat(x);
    for (let at: usize = 4 * <usize>k; at < bytes; at += 16) {
      v128.store(z + at, f32x4.sub(v128.load(z + at), f32x4.mul(factor, v128.load(row + at))));
    }
  }
}
