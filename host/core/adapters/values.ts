// Numbers of adapters as they are stored, to f32.

import { TYPE_BF16, TYPE_F16, TYPE_F32, TYPE_Q8_0 } from "../../../assembly/layout/blocks.js";
import { badAdapter } from "./adapter.js";

const Q8_0_BLOCK = 32;
const Q8_0_BYTES = 34; // scale f16 | i8[32]

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

type Decode = (view: DataView, count: number) => Float32Array;

/** Decoders by TYPE_*. */
export const DECODERS: Readonly<Record<number, Decode>> = {
  [TYPE_F32]: (view, count) => Float32Array.from({ length: count }, (_, i) => view.getFloat32(4 * i, true)),
  [TYPE_F16]: (view, count) => Float32Array.from({ length: count }, (_, i) => fromHalf(view.getUint16(2 * i, true))),
  [TYPE_BF16]: (view, count) =>
    Float32Array.from({ length: count }, (_, i) => fromBits(view.getUint16(2 * i, true) << 16)),
  [TYPE_Q8_0]: (view, count) => {
    const values = new Float32Array(count);
    for (let block = 0; block < count / Q8_0_BLOCK; block++) {
      const at = block * Q8_0_BYTES;
      const scale = fromHalf(view.getUint16(at, true));
      for (let i = 0; i < Q8_0_BLOCK; i++) values[block * Q8_0_BLOCK + i] = view.getInt8(at + 2 + i) * scale;
    }
    return values;
  },
};

function fromBits(bits: number): number {
  word[0] = bits;
  return float[0]!;
}

/** https://en.wikipedia.org/wiki/Half-precision_floating-point_format */
function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Tensor `name` as f32, its rows one behind the other. @throws ZagreusError BAD_ADAPTER for a value that is not finite */
export function decodeValues(file: string, name: string, type: number, bytes: Uint8Array, count: number): Float32Array {
  const values = DECODERS[type]!(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), count);
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return values;
  throw badAdapter(file, name, `has ${values[bad]} at index ${bad}, must be finite`, { value: values[bad] });
}
