// How the numbers of GGUF metadata are stored, by VALUE_* of assembly/layout/gguf.ts; little-endian.

import {
  VALUE_BOOL,
  VALUE_F32,
  VALUE_F64,
  VALUE_I8,
  VALUE_I16,
  VALUE_I32,
  VALUE_I64,
  VALUE_U8,
  VALUE_U16,
  VALUE_U32,
  VALUE_U64,
} from "../../../assembly/layout/gguf.js";

/** What a metadata value, or an element of one, can be. */
export type Scalar = number | bigint | boolean | string;

interface StoredNumber {
  bytes: number;
  read(view: DataView, at: number): Scalar;
  write(view: DataView, at: number, value: Scalar): void;
}

export const NUMBERS: Readonly<Record<number, StoredNumber>> = {
  [VALUE_U8]: { bytes: 1, read: (view, at) => view.getUint8(at), write: (view, at, x) => view.setUint8(at, Number(x)) },
  [VALUE_I8]: { bytes: 1, read: (view, at) => view.getInt8(at), write: (view, at, x) => view.setInt8(at, Number(x)) },
  [VALUE_BOOL]: {
    bytes: 1,
    read: (view, at) => view.getUint8(at) !== 0,
    write: (view, at, x) => view.setUint8(at, Number(x)),
  },
  [VALUE_U16]: {
    bytes: 2,
    read: (view, at) => view.getUint16(at, true),
    write: (view, at, x) => view.setUint16(at, Number(x), true),
  },
  [VALUE_I16]: {
    bytes: 2,
    read: (view, at) => view.getInt16(at, true),
    write: (view, at, x) => view.setInt16(at, Number(x), true),
  },
  [VALUE_U32]: {
    bytes: 4,
    read: (view, at) => view.getUint32(at, true),
    write: (view, at, x) => view.setUint32(at, Number(x), true),
  },
  [VALUE_I32]: {
    bytes: 4,
    read: (view, at) => view.getInt32(at, true),
    write: (view, at, x) => view.setInt32(at, Number(x), true),
  },
  [VALUE_F32]: {
    bytes: 4,
    read: (view, at) => view.getFloat32(at, true),
    write: (view, at, x) => view.setFloat32(at, Number(x), true),
  },
  [VALUE_U64]: {
    bytes: 8,
    read: (view, at) => view.getBigUint64(at, true),
    write: (view, at, x) => view.setBigUint64(at, BigInt(x), true),
  },
  [VALUE_I64]: {
    bytes: 8,
    read: (view, at) => view.getBigInt64(at, true),
    write: (view, at, x) => view.setBigInt64(at, BigInt(x), true),
  },
  [VALUE_F64]: {
    bytes: 8,
    read: (view, at) => view.getFloat64(at, true),
    write: (view, at, x) => view.setFloat64(at, Number(x), true),
  },
};
