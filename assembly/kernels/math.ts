// Elementary functions, the core's own so that every host computes the same bits.

// Constants of vector functions, four times each, in memory: V8 would build a v128.const anew at every use inside a loop.
const CONSTANTS = memory.data<f32>(
  [
    -87, -87, -87, -87, 88, 88, 88, 88, 1.44269504088896341, 1.44269504088896341, 1.44269504088896341,
    1.44269504088896341, 12582912, 12582912, 12582912, 12582912, 0.693359375, 0.693359375, 0.693359375, 0.693359375,
    -2.1219444e-4, -2.1219444e-4, -2.1219444e-4, -2.1219444e-4, 1.98756915e-4, 1.98756915e-4, 1.98756915e-4,
    1.98756915e-4, 1.3981999507e-3, 1.3981999507e-3, 1.3981999507e-3, 1.3981999507e-3, 8.3334519073e-3, 8.3334519073e-3,
    8.3334519073e-3, 8.3334519073e-3, 4.1665795894e-2, 4.1665795894e-2, 4.1665795894e-2, 4.1665795894e-2,
    1.6666665459e-1, 1.6666665459e-1, 1.6666665459e-1, 1.6666665459e-1, 5.0000001201e-1, 5.0000001201e-1,
    5.0000001201e-1, 5.0000001201e-1, 1, 1, 1, 1,
  ],
  16,
);
/** Below this a number counts as 0 where it would be divided by: its inverse times something must not overflow. */
export const TINY: f32 = 1e-30;

const MIN_EXP = 0;
const MAX_EXP = 16;
const LOG2E = 32;
const ROUND = 48; // 1.5 * 2^23: adding it leaves a number's nearest integer in the low bits of the mantissa
const LN2_A = 64;
const LN2_B = 80;
const P0 = 96;
const P1 = 112;
const P2 = 128;
const P3 = 144;
const P4 = 160;
const P5 = 176;
const ONE = 192;

// @ts-ignore: decorator
@inline
function constant(offset: usize): v128 {
  return v128.load(CONSTANTS + offset);
}

/** i32x4 of the nearest integers, ties to even, for |x| < 2^22: two instructions where the saturating conversion takes ten. */
// @ts-ignore: decorator
@inline
export function nearestInt(x: v128): v128 {
  return i32x4.sub(f32x4.add(x, constant(ROUND)), constant(ROUND));
}

/** e^x for -87 <= x <= 88 (outside: as at the border), four at once, relative error about 1e-7 (Cephes expf). */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  const bounded = f32x4.pmin(f32x4.pmax(x, constant(MIN_EXP)), constant(MAX_EXP));
  // x = n ln2 + r; n stays in the low bits of `shifted` as well, from where it goes into the exponent.
  const shifted = f32x4.add(f32x4.mul(bounded, constant(LOG2E)), constant(ROUND));
  const n = f32x4.sub(shifted, constant(ROUND));
  let r = f32x4.sub(bounded, f32x4.mul(n, constant(LN2_A)));
  r = f32x4.sub(r, f32x4.mul(n, constant(LN2_B)));
  let p = constant(P0);
  p = f32x4.add(f32x4.mul(p, r), constant(P1));
  p = f32x4.add(f32x4.mul(p, r), constant(P2));
  p = f32x4.add(f32x4.mul(p, r), constant(P3));
  p = f32x4.add(f32x4.mul(p, r), constant(P4));
  p = f32x4.add(f32x4.mul(p, r), constant(P5));
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), constant(ONE));
  return f32x4.mul(p, i32x4.add(i32x4.shl(shifted, 23), constant(ONE)));
}

const LN2_HIGH: f64 = 6.9314718036912381649e-1;
const LN2_LOW: f64 = 1.90821492927058770002e-10;

/** e^x in f64, for |x| < 700. */
export function exp64(x: f64): f64 {
  const n = nearest<f64>(x * 1.4426950408889634);
  const r = x - n * LN2_HIGH - n * LN2_LOW; // |r| <= 0.35
  let term: f64 = 1;
  let sum: f64 = 1;
  for (let i = 1; i < 18; i++) {
    term = (term * r) / i;
    sum += term;
  }
  return sum * reinterpret<f64>((<i64>n + 1023) << 52);
}

/** Natural logarithm in f64 of a positive normal number: 2 atanh((m - 1) / (m + 1)) + n ln2. */
export function log64(x: f64): f64 {
  const bits = reinterpret<i64>(x);
  let n = <f64>((bits >> 52) - 1023);
  let m = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    n += 1;
  }
  const s = (m - 1) / (m + 1); // |s| < 0.172
  const square = s * s;
  let sum: f64 = 0;
  for (let i = 23; i > 0; i -= 2) sum = sum * square + 1 / <f64>i;
  return 2 * s * sum + n * LN2_LOW + n * LN2_HIGH;
}

// pi/2 in three parts: reduces angles below 1e6 to [-pi/4, pi/4] without losing bits (Cody and Waite).
const HALF_PI_HIGH: f64 = 1.57079632673412561417;
const HALF_PI_MIDDLE: f64 = 6.0771005063039659766e-11;
const HALF_PI_LOW: f64 = 2.02226624879595063154e-21;

/** sin(x + turns * pi/2) in f64. */
function sinQuadrant(x: f64, turns: i64): f64 {
  const n = nearest<f64>(x * 0.6366197723675814);
  const r = x - n * HALF_PI_HIGH - n * HALF_PI_MIDDLE - n * HALF_PI_LOW;
  const quadrant = (<i64>n + turns) & 3;
  const z = r * r;
  let value: f64;
  if (quadrant & 1) {
    // fdlibm's __kernel_cos
    let p = -1.13596475577881948265e-11;
    p = p * z + 2.0875723212981748279e-9;
    p = p * z - 2.75573143513906633035e-7;
    p = p * z + 2.48015872894767294178e-5;
    p = p * z - 1.38888888888741095749e-3;
    p = p * z + 4.16666666666666019037e-2;
    value = 1 - 0.5 * z + z * z * p;
  } else {
    // fdlibm's __kernel_sin
    let p = 1.58969099521155010221e-10;
    p = p * z - 2.50507602534068634195e-8;
    p = p * z + 2.75573137070700676789e-6;
    p = p * z - 1.98412698298579493134e-4;
    p = p * z + 8.33333333332248946124e-3;
    p = p * z - 1.66666666666666324348e-1;
    value = r + r * z * p;
  }
  return quadrant & 2 ? -value : value;
}

/** sin(x) in f64, for |x| < 1e6. */
export function sin64(x: f64): f64 {
  return sinQuadrant(x, 0);
}
/** cos(x) in f64, for |x| < 1e6. */
export function cos64(x: f64): f64 {
  return sinQuadrant(x, 1);
}
