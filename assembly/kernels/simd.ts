// The SIMD vocabulary of a build: how activations lie in memory and how nibbles meet them. The only file that differs between
// builds. A vector of weights holds 4 rows x 8 columns (layout/tile.ts); `x` is the address of the 8 activations.
//
// Wide activations (i16, every build), because i32x4.dot_i16x8_s is the only integer dot of SIMD128. A vector seen as i16x8 holds in
// every 32-bit lane (one row) the columns 0 4 | 1 5 || 2 6 | 3 7, low nibble first; shifts by 0, 4, 8 and 12 give column pairs:
//
//     16 bytes:   x0 x2 | x4 x6 | x1 x3 | x5 x7      each i16
//
// Narrow activations (i8, relaxed SIMD): low nibbles meet columns 0..3, high nibbles columns 4..7.
//
//      8 bytes:   x0 x1 x2 x3 | x4 x5 x6 x7          each i8
//
// i16x8.relaxed_dot_i8x16_i7x16_s is exact on every machine here: nibbles are within 0..15, so nothing saturates and no sign is lost.
// Sixteen columns a lane, each 127 * 15 at most, stay within i16.

/** Whether this build has relaxed SIMD, and so narrow activations. */
export const RELAXED: bool = ASC_FEATURE_RELAXED_SIMD;

/** Bytes of one activation. */
// @ts-ignore: decorator
@inline
export function xBytes(narrow: bool): usize {
  return narrow ? 1 : 2;
}

/** Stores 16 quantized activations (two i16x8, in column order) in the order that the dots read. */
// @ts-ignore: decorator
@inline
export function storeActivations(target: usize, first: v128, second: v128, narrow: bool): void {
  if (narrow) {
    v128.store(target, i8x16.narrow_i16x8_s(first, second));
  } else {
    v128.store(target, i8x16.shuffle(first, first, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
    v128.store(target, i8x16.shuffle(second, second, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15), 16);
  }
}

/** i16x8 sums, two a row: acc + four columns of i8 activations against nibbles of four rows. */
// @ts-ignore: decorator
@inline
export function dotNarrow(acc: v128, x: v128, nibbles: v128): v128 {
  return i16x8.add(acc, i16x8.relaxed_dot_i8x16_i7x16_s(x, nibbles));
}

/** i32x4 sums, one a row: acc + two columns of i16 activations against four rows. */
// @ts-ignore: decorator
@inline
export function dotWide(acc: v128, pair: v128, x: v128): v128 {
  return i32x4.add(acc, i32x4.dot_i16x8_s(pair, x));
}
