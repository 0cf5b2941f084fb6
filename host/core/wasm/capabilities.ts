// What this engine can do, and nowhere else. Capabilities are tried, not looked up.

import { ZagreusError } from "../api/errors.js";

// (func (export "f") (param i32) (result i32)
//   (i32x4.extract_lane 0 (i32x4.dot_i16x8_s (i32x4.splat (local.get 0)) (i32x4.splat (local.get 0)))))
export const SIMD_PROBE = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x03, 0x02, 0x01,
  0x00, 0x07, 0x05, 0x01, 0x01, 0x66, 0x00, 0x00, 0x0a, 0x12, 0x01, 0x10, 0x00, 0x20, 0x00, 0xfd, 0x11, 0x20, 0x00,
  0xfd, 0x11, 0xfd, 0xba, 0x01, 0xfd, 0x1b, 0x00, 0x0b,
]);

/** The probes below as modules, for an engine that compiles no bytes. */
export interface Probes {
  simd: WebAssembly.Module;
  relaxed: WebAssembly.Module;
}

/** Whether 128-bit SIMD is there and multiplies rightly: (2, 3) . (2, 3) = 13. @throws ZagreusError UNSUPPORTED_RUNTIME */
function supportsSimd(probe?: WebAssembly.Module): boolean {
  if (typeof WebAssembly === "undefined" || !(probe || WebAssembly.validate(SIMD_PROBE))) return false;
  const { exports } = new WebAssembly.Instance(probe ?? compileProbe());
  return (exports.f as (x: number) => number)(0x00030002) === 13;
}

/** @throws ZagreusError UNSUPPORTED_RUNTIME where WebAssembly is known but not allowed */
function compileProbe(): WebAssembly.Module {
  try {
    return new WebAssembly.Module(SIMD_PROBE);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `this runtime does not allow WebAssembly: a Content-Security-Policy needs 'wasm-unsafe-eval' in script-src (${reason})`;
    throw new ZagreusError("UNSUPPORTED_RUNTIME", message, { cause });
  }
}

/** @throws ZagreusError UNSUPPORTED_RUNTIME */
export function requireSimd(probe?: WebAssembly.Module): void {
  if (!supportsSimd(probe)) {
    throw new ZagreusError("UNSUPPORTED_RUNTIME", "this engine lacks WebAssembly SIMD (128-bit), which the core needs");
  }
}

// Sums that grow from their own dots, each as long a chain as the other:
//
// (func (export "relaxed") (param $x i32) (param $w i32) (param $n i32) (result i32) (local $a v128) (local $b v128)
//   (local.set $a (i32x4.splat (local.get $x)))
//   (local.set $b (i32x4.splat (local.get $w)))
//   (loop $next
//     (local.set $a (i16x8.add (local.get $a) (i16x8.relaxed_dot_i8x16_i7x16_s (local.get $a) (local.get $b))))
//     (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
//   (i32x4.extract_lane 3 (local.get $a)))
// (func (export "plain") ... the same with i32x4.add and i32x4.dot_i16x8_s
export const RELAXED_PROBE = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x01, 0x60, 0x03, 0x7f, 0x7f, 0x7f, 0x01, 0x7f, 0x03,
  0x03, 0x02, 0x00, 0x00, 0x07, 0x13, 0x02, 0x07, 0x72, 0x65, 0x6c, 0x61, 0x78, 0x65, 0x64, 0x00, 0x00, 0x05, 0x70,
  0x6c, 0x61, 0x69, 0x6e, 0x00, 0x01, 0x0a, 0x61, 0x02, 0x2f, 0x01, 0x02, 0x7b, 0x20, 0x00, 0xfd, 0x11, 0x21, 0x03,
  0x20, 0x01, 0xfd, 0x11, 0x21, 0x04, 0x03, 0x40, 0x20, 0x03, 0x20, 0x03, 0x20, 0x04, 0xfd, 0x92, 0x02, 0xfd, 0x8e,
  0x01, 0x21, 0x03, 0x20, 0x02, 0x41, 0x01, 0x6b, 0x22, 0x02, 0x0d, 0x00, 0x0b, 0x20, 0x03, 0xfd, 0x1b, 0x03, 0x0b,
  0x2f, 0x01, 0x02, 0x7b, 0x20, 0x00, 0xfd, 0x11, 0x21, 0x03, 0x20, 0x01, 0xfd, 0x11, 0x21, 0x04, 0x03, 0x40, 0x20,
  0x03, 0x20, 0x03, 0x20, 0x04, 0xfd, 0xba, 0x01, 0xfd, 0xae, 0x01, 0x21, 0x03, 0x20, 0x02, 0x41, 0x01, 0x6b, 0x22,
  0x02, 0x0d, 0x00, 0x0b, 0x20, 0x03, 0xfd, 0x1b, 0x03, 0x0b,
]);

type Chain = (x: number, w: number, rounds: number) => number;

/** Negative and positive activations, and nibbles; what comes out after that many dots. */
const ACTIVATIONS = 0x80fe7f03;
const NIBBLES = 0x0f060d0a;
const RESULT_OF_ONE_ROUND = 2037548436;
const ROUNDS = 10_000;
const RESULT_OF_ALL_ROUNDS = -2017362450;
/** V8 compiles the chain with its optimizing compiler after about 2 ms. */
const TRIAL_MS = 3;
/** What it gets when it seems slow: on a busy machine one of the two may be compiled long after the other. */
const PATIENT_MS = 40;
/** What ends the trial where the clock stands still. */
const MAX_TRIALS = 200;

/**
 * - "absent": the engine does not know relaxed SIMD
 * - "wrong": a dot of signed bytes and nibbles is not exact, at the first call or when the compilers have changed
 * - "slow": it is right, but takes more than twice as long as a plain dot, which does half the work
 */
export type RelaxedSimd = "absent" | "wrong" | "slow" | "good";

let relaxed: RelaxedSimd | undefined;

/** What relaxed dots are worth here; tried once. */
export function relaxedSimd(probe?: WebAssembly.Module): RelaxedSimd {
  relaxed ??= probe || WebAssembly.validate(RELAXED_PROBE) ? tryRelaxed(probe) : "absent";
  return relaxed;
}

function tryRelaxed(probe = new WebAssembly.Module(RELAXED_PROBE)): RelaxedSimd {
  const { exports } = new WebAssembly.Instance(probe);
  const chain = exports.relaxed as Chain;
  const plain = exports.plain as Chain;
  if (chain(ACTIVATIONS, NIBBLES, 1) !== RESULT_OF_ONE_ROUND) return "wrong";
  let chainMs = Number.POSITIVE_INFINITY;
  let plainMs = Number.POSITIVE_INFINITY;
  const begun = performance.now();
  const isSlow = () => chainMs > 2 * plainMs;
  const goesOn = (ms: number, trials: number) => (isSlow() ? ms < PATIENT_MS : ms < TRIAL_MS && trials < MAX_TRIALS);
  for (let trial = 0, now = begun; goesOn(now - begun, trial); trial++) {
    if (chain(ACTIVATIONS, NIBBLES, ROUNDS) !== RESULT_OF_ALL_ROUNDS) return "wrong";
    const between = performance.now();
    plain(ACTIVATIONS, NIBBLES, ROUNDS);
    const after = performance.now();
    chainMs = Math.min(chainMs, between - now);
    plainMs = Math.min(plainMs, after - between);
    now = after;
  }
  return isSlow() ? "slow" : "good";
}

/** Whether memory can be shared between threads; browsers allow it on isolated pages only. */
export function sharesMemory(): boolean {
  if (typeof SharedArrayBuffer === "undefined") return false;
  try {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    return memory.buffer instanceof SharedArrayBuffer;
  } catch {
    return false;
  }
}
