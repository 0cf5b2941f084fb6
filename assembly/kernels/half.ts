// f16 and f32. Four halves at once: sign-extend to 32 bits, move exponent and mantissa into place, and scale by 2^112, which
// is exact and right for subnormals too; infinities and NaNs come out as finite numbers of 65,536 and more.

export const REBIAS: f32 = 5.192296858534828e33; // 2^112

/** f32x4 of the four f16 at `address`. */
// @ts-ignore: decorator
@inline
export function loadHalves(address: usize): v128 {
  return f32x4.mul(loadScaledHalves(address, i32x4.splat(HALF_MASK)), f32x4.splat(REBIAS));
}

/** The same times 2^-112: what a matmul multiplies with activation scales that carry the 2^112. */
// @ts-ignore: decorator
@inline
export function loadScaledHalves(address: usize, mask: v128): v128 {
  return v128.and(i32x4.shl(v128.load16x4_s(address), 13), mask);
}
/** The constant of loadScaledHalves(), from memory: V8 would build it anew at every use inside a loop. */
// @ts-ignore: decorator
@inline
export function halvesMask(): v128 {
  return v128.load(HALF_MASKS);
}
const HALF_MASK = 0x8fffffff;
const HALF_MASKS = memory.data<u32>([HALF_MASK, HALF_MASK, HALF_MASK, HALF_MASK], 16);

/** f32 of one f16. */
// @ts-ignore: decorator
@inline
export function fromHalf(bits: u16): f32 {
  return reinterpret<f32>(((<i32>(<i16>bits)) << 13) & HALF_MASK) * REBIAS;
}

/** From here on the nearest f16 is infinity. */
export const HALF_LIMIT: f32 = 65520;

/** The nearest f16 of eight f32 below HALF_LIMIT, as toHalf() rounds them. */
// @ts-ignore: decorator
@inline
export function toHalves(x: v128, y: v128): v128 {
  return i16x8.narrow_i32x4_s(halfBits(x), halfBits(y));
}

/** f16 bits of four f32, sign-extended. */
// @ts-ignore: decorator
@inline
function halfBits(x: v128): v128 {
  const magnitude = f32x4.abs(x);
  const odd = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(i32x4.sub(magnitude, i32x4.splat(0x38000000 - 0xfff)), odd), 13);
  const subnormal = i32x4.sub(f32x4.add(magnitude, f32x4.splat(0.5)), i32x4.splat(0x3f000000));
  const bits = v128.bitselect(subnormal, rounded, i32x4.lt_s(magnitude, i32x4.splat(0x38800000)));
  return v128.or(bits, v128.and(i32x4.shr_s(x, 16), i32x4.splat(0xffff8000)));
}

/** The nearest f16 bits, ties to even; overflow gives infinity. */
export function toHalf(value: f32): u16 {
  const bits = reinterpret<u32>(value);
  const sign = (bits >> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x47800000) return <u16>(sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00));
  if (magnitude < 0x38800000) {
    // Subnormal: adding 0.5 rounds the mantissa to a multiple of 2^-24 in its last bits.
    return <u16>(sign | (reinterpret<u32>(reinterpret<f32>(magnitude) + 0.5) - 0x3f000000));
  }
  return <u16>(sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13));
}
