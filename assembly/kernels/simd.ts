// The SIMD vocabulary of a build: how activations lie in memory and how a nibble vector meets them. The only file that may
// differ between builds.
//
// Baseline (SIMD128): activations are i16, because i32x4.dot_i16x8_s is the only integer dot. A nibble vector seen as i16x8
// holds, in every 32-bit lane (one row), the columns 0 4 | 1 5 || 2 6 | 3 7 (low nibble first), so that shifting by 0, 4, 8
// and 12 gives the column pairs (0,2) (4,6) (1,3) (5,7). Activations are stored in that order:
//
//     8 columns = 16 bytes:   x0 x2 | x4 x6 | x1 x3 | x5 x7      each i16

/** Bytes of one quantized activation. */
export const X_BYTES: usize = 2;

/** Stores 8 quantized activations (i16x8, in column order) in the order that the dots read. */
// @ts-ignore: decorator
@inline export function storeActivations(target: usize, q: v128): void {
  v128.store(target, i8x16.shuffle(q, q, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
}

/** Two nibbles of every row, as i16x8: columns (0,2), (4,6), (1,3), (5,7) for shift 0, 4, 8, 12. */
// @ts-ignore: decorator
@inline export function nibbles(weights: v128, shift: i32, mask: v128): v128 {
  if (shift == 0) return v128.and(weights, mask);
  if (shift == 12) return i16x8.shr_u(weights, 12);
  return v128.and(i16x8.shr_u(weights, shift), mask);
}

/** acc + the dot of two columns, one pair of activations against four rows. */
// @ts-ignore: decorator
@inline export function dot(acc: v128, pair: v128, x: usize, offset: usize): v128 {
  return i32x4.add(acc, i32x4.dot_i16x8_s(pair, v128.load32_splat(x + offset)));
}

/** The same nibbles times 16. */
// @ts-ignore: decorator
@inline export function highNibbles(weights: v128, shift: i32, highMask: v128): v128 {
  if (shift == 0) return v128.and(i16x8.shl(weights, 4), highMask);
  if (shift == 4) return v128.and(weights, highMask);
  return v128.and(i16x8.shr_u(weights, shift - 4), highMask);
}
