// Elementary functions, the core's own so that every host computes the same bits.

/** e^x, four at once, relative error about 1e-7: x = n ln2 + r, polynomial in r (Cephes expf). */
// @ts-ignore: decorator
@inline export function exp4(x: v128): v128 {
  const bounded = f32x4.min(f32x4.max(x, f32x4.splat(-87)), f32x4.splat(88));
  const n = f32x4.nearest(f32x4.mul(bounded, f32x4.splat(1.44269504088896341)));
  let r = f32x4.sub(bounded, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.12194440e-4)));
  let p = f32x4.splat(1.9875691500e-4);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.3981999507e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3334519073e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1665795894e-2));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666665459e-1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(5.0000001201e-1));
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return f32x4.mul(p, power);
}

const LN2_HIGH: f64 = 6.93147180369123816490e-1;
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
const HALF_PI_MIDDLE: f64 = 6.07710050630396597660e-11;
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
    p = p * z + 2.08757232129817482790e-9;
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

export function sin64(x: f64): f64 {
  return sinQuadrant(x, 0);
}
export function cos64(x: f64): f64 {
  return sinQuadrant(x, 1);
}
