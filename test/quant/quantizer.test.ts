// The WebAssembly quantizer beside ggml's quantize_row_q8_0_ref() and quantize_row_q4_0_ref(), written down in single precision.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TYPE_BF16, TYPE_F16, TYPE_F32, TYPE_Q4_0, TYPE_Q8_0 } from "../../assembly/layout/blocks";
import { plainRounding } from "../../quant/round/rounding";
import { encodeTensor, toHalf } from "../support/models/gguf_writer";
import { failure, quantizer } from "./support";

const f = Math.fround;

/** C's roundf(). */
const roundf = (x: number) => Math.sign(x) * Math.floor(Math.abs(x) + 0.5);

function reference(values: Float32Array, type: number): Uint8Array {
  const bytes: number[] = [];
  for (let at = 0; at < values.length; at += 32) {
    const x = values.subarray(at, at + 32);
    let most = 0;
    for (const value of x) if (Math.abs(value) > Math.abs(most)) most = value;
    const d = type === TYPE_Q8_0 ? f(Math.abs(most) / 127) : f(most / -8);
    const inverse = d ? f(1 / d) : 0;
    const half = toHalf(d);
    bytes.push(half & 255, half >> 8);
    if (type === TYPE_Q8_0) for (const value of x) bytes.push(roundf(f(value * inverse)) & 255);
    else {
      const nibble = (value: number) => Math.min(15, Math.trunc(f(f(value * inverse) + 8.5)));
      for (let j = 0; j < 16; j++) bytes.push(nibble(x[j]!) | (nibble(x[j + 16]!) << 4));
    }
  }
  return Uint8Array.from(bytes);
}

const bytesOf = (values: Float32Array) => new Uint8Array(values.slice().buffer);

/** Weights, ties, signs, zeros and halves of a quantization step; no infinite inverses, which C leaves undefined. */
const weight = fc.oneof(
  { weight: 6, arbitrary: fc.float({ min: -2, max: 2, noNaN: true }) },
  { weight: 2, arbitrary: fc.integer({ min: -254, max: 254 }).map((n) => n / 2) },
  { weight: 1, arbitrary: fc.constantFrom(0, -0, 1, -1, 127, -127, 8, -8, 0.49999997, 63.499996) },
);
const block = fc.oneof(
  fc.array(weight, { minLength: 32, maxLength: 32 }),
  fc.float({ min: f(-1e5), max: f(1e5), noNaN: true }).map((value) => Array<number>(32).fill(value)),
  fc.array(fc.float({ min: f(-1e-4), max: f(1e-4), noNaN: true }), { minLength: 32, maxLength: 32 }),
);
const normal = (x: number) => (Math.abs(x) < 1e-30 ? 0 : x);

describe.each([
  ["Q8_0", TYPE_Q8_0],
  ["Q4_0", TYPE_Q4_0],
] as const)("%s", (_, type) => {
  test("is rounded as ggml rounds", () => {
    fc.assert(
      fc.property(fc.array(block, { minLength: 1, maxLength: 5 }), (blocks) => {
        const values = Float32Array.from(blocks.flat(), normal);
        expect([...quantizer.round(TYPE_F32, bytesOf(values), type).bytes]).toEqual([...reference(values, type)]);
      }),
      { numRuns: 2000 },
    );
  });

  test("from every source type, what it stands for is rounded", () => {
    fc.assert(
      fc.property(fc.array(block, { minLength: 1, maxLength: 3 }), (blocks) => {
        const values = Float32Array.from(blocks.flat(), normal);
        for (const source of [TYPE_F16, TYPE_BF16, TYPE_Q8_0]) {
          const stored = encodeTensor(
            source,
            values.map((x) => Math.max(-65504, Math.min(65504, x))),
          );
          const floats = quantizer.floats(source, stored, values.length).slice();
          expect([...quantizer.round(source, stored, type).bytes]).toEqual([
            ...quantizer.round(TYPE_F32, bytesOf(floats), type).bytes,
          ]);
        }
      }),
    );
  });

  test("the error is that of the stored scale", () => {
    const values = Float32Array.from({ length: 320 }, (_, i) => f(Math.sin(i * i) * 0.03));
    const { bytes, squaredError } = quantizer.round(TYPE_F32, bytesOf(values), type);
    const restored = bytes.slice();
    const floats = type === TYPE_Q8_0 ? quantizer.floats(type, restored, 320) : restoreQ4(restored);
    const expected = values.reduce((sum, value, i) => sum + (value - floats[i]!) ** 2, 0);
    expect(squaredError / expected).toBeCloseTo(1, 5);
  });

  test.each([
    ["NaN", TYPE_F32, [Number.NaN]],
    ["infinity", TYPE_F32, [Number.NEGATIVE_INFINITY]],
    ["a scale beyond f16", TYPE_F32, [1e7]],
    ["an infinite f16", TYPE_F16, [Number.POSITIVE_INFINITY]],
    ["an f16 NaN", TYPE_F16, [Number.NaN]],
    ["an infinite bf16", TYPE_BF16, [Number.POSITIVE_INFINITY]],
  ])("%s is refused, with tensor and row", async (_, source, [bad]) => {
    const columns = 64;
    const values = new Float32Array(10 * columns).fill(0.5);
    values[7 * columns + 33] = bad!;
    const data = encodeTensor(source, values);
    const rowBytes = data.length / 10;
    const tensor = {
      name: "blk.0.ffn_up.weight",
      type: source,
      rows: 10,
      columns,
      vector: false,
      read: async (row: number, count: number) => data.slice(row * rowBytes, (row + count) * rowBytes),
    };
    const drain = async () => {
      for await (const _ of plainRounding(quantizer).blocks(tensor, type));
    };
    expect(await failure(drain())).toMatchObject({ code: "NON_FINITE_WEIGHT", field: tensor.name, value: 7 });
  });
});

test("f16, bf16 and int8 are read exactly", () => {
  const halves = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const half = (bits: number) => {
    const [sign, exponent, mantissa] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    return sign * (exponent ? (1 + mantissa / 1024) * 2 ** (exponent - 15) : mantissa * 2 ** -24);
  };
  const floats = quantizer.floats(TYPE_F16, new Uint8Array(halves.buffer), 65536);
  expect(floats.every((value, bits) => Object.is(value, half(bits)))).toBe(true);
  const words = new Uint32Array(quantizer.floats(TYPE_BF16, new Uint8Array(halves.buffer), 65536).slice().buffer);
  expect(words.every((word, bits) => word === (bits << 16) >>> 0)).toBe(true);
  const odd = quantizer.floats(TYPE_BF16, new Uint8Array(Uint16Array.of(0x3f80, 0x4000, 0xc040).buffer), 3);
  expect([...odd]).toEqual([1, 2, -3]);
});

function restoreQ4(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer);
  const values = new Float32Array((bytes.length / 18) * 32);
  const d = new Uint8Array(34);
  values.forEach((_, i) => {
    const at = Math.floor(i / 32) * 18;
    new DataView(d.buffer).setUint16(0, view.getUint16(at, true), true);
    d[2] = 1;
    const scale = quantizer.floats(TYPE_Q8_0, d, 32)[0]!;
    const byte = bytes[at + 2 + (i % 16)]!;
    values[i] = scale * ((i % 32 < 16 ? byte & 15 : byte >> 4) - 8);
  });
  return values;
}
