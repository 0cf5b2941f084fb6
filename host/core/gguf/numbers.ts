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

/** A number by its name in DataView's methods. */
const number = (
  bytes: number,
  name: "Uint8" | "Int8" | "Uint16" | "Int16" | "Uint32" | "Int32" | "Float32" | "Float64",
): StoredNumber => ({
  bytes,
  read: (view, at) => view[`get${name}`](at, true),
  write: (view, at, value) => view[`set${name}`](at, Number(value), true),
});

const bigInteger = (name: "BigUint64" | "BigInt64"): StoredNumber => ({
  bytes: 8,
  read: (view, at) => view[`get${name}`](at, true),
  write: (view, at, value) => view[`set${name}`](at, BigInt(value), true),
});

export const NUMBERS: Readonly<Record<number, StoredNumber>> = {
  [VALUE_U8]: number(1, "Uint8"),
  [VALUE_I8]: number(1, "Int8"),
  [VALUE_BOOL]: { ...number(1, "Uint8"), read: (view, at) => view.getUint8(at) !== 0 },
  [VALUE_U16]: number(2, "Uint16"),
  [VALUE_I16]: number(2, "Int16"),
  [VALUE_U32]: number(4, "Uint32"),
  [VALUE_I32]: number(4, "Int32"),
  [VALUE_F32]: number(4, "Float32"),
  [VALUE_U64]: bigInteger("BigUint64"),
  [VALUE_I64]: bigInteger("BigInt64"),
  [VALUE_F64]: number(8, "Float64"),
};
