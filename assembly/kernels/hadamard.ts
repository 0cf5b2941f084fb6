// The fast Walsh-Hadamard transform (https://arxiv.org/abs/2404.00456 uses it for the KV cache): an orthogonal rotation that spreads a
// large number over many, so that what follows rounds finer. It is its own inverse, but for a factor.

/** Rotations over 2^n vectors of four: the largest power of two that divides size / 4. */
// @ts-ignore: decorator
@inline
export function rotated(size: i32): i32 {
  return (size / 4) & -(size / 4);
}

/** x = H x in place, f32[size], size a multiple of 4; H H = rotated(size). Lanes of a vector are not mixed. */
export function rotate(x: usize, size: i32): void {
  const end = x + 4 * <usize>size;
  for (let stride: usize = 16, last = <usize>(16 * rotated(size)); stride < last; stride *= 2) {
    for (let block = x; block < end; block += 2 * stride) {
      for (let at = block; at < block + stride; at += 16) {
        const a = v128.load(at);
        const b = v128.load(at + stride);
        v128.store(at, f32x4.add(a, b));
        v128.store(at + stride, f32x4.sub(a, b));
      }
    }
  }
}
