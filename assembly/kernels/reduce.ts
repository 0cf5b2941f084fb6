// One number of the lanes of a vector, always in the same order.

/** Sum of the four lanes, always in the order (0 + 1) + (2 + 3). */
// @ts-ignore: decorator
@inline
export function f32x4Sum(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}
/** Largest of the four lanes. Not by f32.max: what that makes of a NaN costs V8 three branches, a third of the softmax. */
// @ts-ignore: decorator
@inline
export function f32x4Max(v: v128): f32 {
  const pairs = f32x4.pmax(v, i32x4.shuffle(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.pmax(pairs, i32x4.shuffle(pairs, pairs, 1, 0, 3, 2)), 0);
}
/** Sum of the four i32 lanes. */
// @ts-ignore: decorator
@inline
export function i32x4Sum(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + (i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3));
}
/** Largest magnitude of f32[...] from `at` to `end`, whole vectors. */
// @ts-ignore: decorator
@inline
export function largestMagnitude(at: usize, end: usize): f32 {
  let largest = f32x4.splat(0);
  for (; at < end; at += 16) largest = f32x4.pmax(largest, f32x4.abs(v128.load(at)));
  return f32x4Max(largest);
}
