// What this engine can do. Capabilities are tried, not looked up.

import { ZagreusError } from "./errors.js";

// (func (export "f") (param i32) (result i32)
//   (i32x4.extract_lane 0 (i32x4.dot_i16x8_s (i32x4.splat (local.get 0)) (i32x4.splat (local.get 0)))))
const SIMD_PROBE = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x03, 0x02, 0x01,
  0x00, 0x07, 0x05, 0x01, 0x01, 0x66, 0x00, 0x00, 0x0a, 0x12, 0x01, 0x10, 0x00, 0x20, 0x00, 0xfd, 0x11, 0x20, 0x00,
  0xfd, 0x11, 0xfd, 0xba, 0x01, 0xfd, 0x1b, 0x00, 0x0b,
]);

/** Whether 128-bit SIMD is there and multiplies rightly: (2, 3) . (2, 3) = 13. */
export function supportsSimd(): boolean {
  if (typeof WebAssembly === "undefined" || !WebAssembly.validate(SIMD_PROBE)) return false;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(SIMD_PROBE));
  return (exports.f as (x: number) => number)(0x00030002) === 13;
}

/** @throws ZagreusError UNSUPPORTED_RUNTIME */
export function requireSimd(): void {
  if (!supportsSimd()) {
    throw new ZagreusError("UNSUPPORTED_RUNTIME", "this engine lacks WebAssembly SIMD (128-bit), which the core needs");
  }
}
