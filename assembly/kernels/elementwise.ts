// Arithmetic on whole buffers, element by element.

import { exp4 } from "./math";

/** x += y, f32[width]. */
export function add(x: usize, y: usize, width: i32): void {
  for (let i: usize = 0; i < <usize>width * 4; i += 16)
    v128.store(x + i, f32x4.add(v128.load(x + i), v128.load(y + i)));
}

/** SwiGLU (https://arxiv.org/abs/2002.05202): gate = gate * sigmoid(gate) * up, f32[width]. */
export function swiglu(gate: usize, up: usize, width: i32): void {
  const one = f32x4.splat(1);
  for (let i: usize = 0; i < <usize>width * 4; i += 16) {
    const g = v128.load(gate + i);
    const silu = f32x4.div(g, f32x4.add(one, exp4(f32x4.neg(g))));
    v128.store(gate + i, f32x4.mul(silu, v128.load(up + i)));
  }
}
