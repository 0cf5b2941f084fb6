// One number of the lanes of a vector, always in the same order.

/** Sum of the four lanes, always in the order (0 + 1) + (2 + 3). */
// @ts-ignore: decorator
@inline
export function f32x4Sum(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}
/** Largest of the four lanes. */
// @ts-ignore: decorator
@inline
export function f32x4Max(v: v128): f32 {
  return max<f32>(
    max<f32>(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max<f32>(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}
/** Sum of the four i32 lanes. */
// @ts-ignore: decorator
@inline
export function i32x4Sum(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + (i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3));
}
