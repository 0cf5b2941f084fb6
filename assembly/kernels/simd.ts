// The SIMD vocabulary of a build: how activations lie in memory and how weights meet them. The only file that differs between builds.
//
// Wide activations (i16, every build), because i32x4.dot_i16x8_s is the only integer dot of SIMD128: in column order. A vector of weights
// (layout/tile.ts) seen as i16x8 gives neighbouring columns in every 32-bit lane (one row): 0 1, 4 5, 2 3 and 6 7.
//
// Narrow activations (i8, relaxed SIMD): the order of the weights' bytes, eight columns at a time, four times over. Int4 weights meet x;
// int8 weights meet its nibbles, x + 128 = 16 h + l, or where one dot takes a byte (DOT_* in ../layout/abi.ts) x or x + 128.
//
//     x0 x4 x1 x5 x2 x6 x3 x7 | ... i8[columns]     x + 128 ... u8[columns]     h ... u8[columns]     l ... u8[columns]
//
// i16x8.relaxed_dot_i8x16_i7x16_s is exact on every machine, because its second operand, the nibbles, is within 0..15: nothing saturates
// and no sign is lost. Sixteen columns in a lane, each 128 * 15 at most, stay within i16.

/** Whether this build has relaxed SIMD, and so narrow activations. */
export const RELAXED: bool = ASC_FEATURE_RELAXED_SIMD;

/** Bytes of one activation, all planes. */
// @ts-ignore: decorator
@inline
export function xBytes(narrow: bool): usize {
  return narrow ? 4 : 2;
}
/** The planes of narrow activations, from the first, in columns. */
export const PLANE_UNSIGNED: usize = 1;
export const PLANE_HIGH: usize = 2;
export const PLANE_LOW: usize = 3;

/** Stores 16 activations, two i16x8 in column order, at `target`; planes are `plane` bytes long, `paired` as in storeFours(). */
// @ts-ignore: decorator
@inline
export function storeActivations(target: usize, plane: usize, a: v128, b: v128, narrow: bool, paired: bool): void {
  if (narrow) {
    const bytes = i8x16.narrow_i16x8_s(a, b);
    const x = i8x16.shuffle(bytes, bytes, 0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
    const shifted = v128.xor(x, i8x16.splat(-128));
    storeFours(target, x, paired);
    storeFours(target + PLANE_UNSIGNED * plane, shifted, paired);
    storeFours(target + PLANE_HIGH * plane, v128.and(i16x8.shr_u(shifted, 4), i8x16.splat(15)), paired);
    storeFours(target + PLANE_LOW * plane, v128.and(shifted, i8x16.splat(15)), paired);
  } else {
    storeFours(target, a, paired);
    storeFours(target + (paired ? 32 : 16), b, paired);
  }
}

/** Stores four times four bytes, between which, when `paired`, there is room for another token's. */
// @ts-ignore: decorator
@inline
function storeFours(target: usize, v: v128, paired: bool): void {
  if (paired) {
    v128.store_lane<i32>(target, v, 0);
    v128.store_lane<i32>(target, v, 1, 8);
    v128.store_lane<i32>(target, v, 2, 16);
    v128.store_lane<i32>(target, v, 3, 24);
  } else {
    v128.store(target, v);
  }
}

/** i16x8 sums, two a row: acc + four columns of four rows, signed bytes against nibbles. */
// @ts-ignore: decorator
@inline
export function dotNarrow(acc: v128, bytes: v128, nibbles: v128): v128 {
  return i16x8.add(acc, i16x8.relaxed_dot_i8x16_i7x16_s(bytes, nibbles));
}

/** i32x4 sums, one a row: acc + four columns of four rows, signed bytes against seven bits or what the engine's dot makes of eight. */
// @ts-ignore: decorator
@inline
export function dotAdd(acc: v128, bytes: v128, seven: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(bytes, seven, acc);
}

/** i32x4 sums, one a row: acc + two columns of i16 activations against four rows. */
// @ts-ignore: decorator
@inline
export function dotWide(acc: v128, pair: v128, x: v128): v128 {
  return i32x4.add(acc, i32x4.dot_i16x8_s(pair, x));
}

const ONES = memory.data<i16>([1, 1, 1, 1, 1, 1, 1, 1], 16);
const LOW_BYTES = memory.data<i16>([255, 255, 255, 255, 255, 255, 255, 255], 16);

/** What dotI8U7() needs, to be loaded before a loop. */
// @ts-ignore: decorator
@inline
export function dotI8U7Constant(): v128 {
  return v128.load(RELAXED ? ONES : LOW_BYTES);
}

/** i32x4 sums: acc + in every lane four signed bytes times four of 0..127; two products, 2 * 128 * 127 at most, stay within i16. */
// @ts-ignore: decorator
@inline
export function dotI8U7(add: bool, acc: v128, bytes: v128, seven: v128, constant: v128): v128 {
  if (RELAXED && add) return dotAdd(acc, bytes, seven);
  if (RELAXED) {
    return i32x4.add(acc, i32x4.dot_i16x8_s(i16x8.relaxed_dot_i8x16_i7x16_s(bytes, seven), constant));
  }
  const even = i32x4.dot_i16x8_s(i16x8.shr_s(i16x8.shl(bytes, 8), 8), v128.and(seven, constant));
  return i32x4.add(i32x4.add(acc, even), i32x4.dot_i16x8_s(i16x8.shr_s(bytes, 8), i16x8.shr_u(seven, 8)));
}

/** What i32Sums() makes i32x4 of: acc + signed bytes times nibbles, in relaxed builds i16x8 sums of two products. */
// @ts-ignore: decorator
@inline
export function dotI8U4(add: bool, acc: v128, bytes: v128, nibbles: v128, constant: v128): v128 {
  return RELAXED && !add ? dotNarrow(acc, bytes, nibbles) : dotI8U7(add, acc, bytes, nibbles, constant);
}
// @ts-ignore: decorator
@inline
export function i32Sums(add: bool, acc: v128, constant: v128): v128 {
  return RELAXED && !add ? i32x4.dot_i16x8_s(acc, constant) : acc;
}
