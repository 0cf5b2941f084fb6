// What the header's metadata says, by key and type.

import {
  VALUE_ARRAY,
  VALUE_BOOL,
  VALUE_F32,
  VALUE_F64,
  VALUE_I16,
  VALUE_I32,
  VALUE_I64,
  VALUE_I8,
  VALUE_STRING,
  VALUE_U16,
  VALUE_U32,
  VALUE_U64,
  VALUE_U8,
} from "../layout/gguf";
import { BAD_ELEMENT_TYPE, BAD_VALUE, BAD_VALUE_TYPE, MISSING_KEY, OK } from "../layout/status";
import { failAt } from "../runtime/failure";
import { metadataIndex } from "../runtime/memory";
import { equals } from "../runtime/text";
import { header } from "./header";

/** Entries that the header states. */
export function metadataCount(): i32 {
  return header.metadataTotal;
}
/** Address of the raw record `key | type | value` of metadata entry `index`. */
export function metadataRecord(index: i32): usize {
  return load<u32>(metadataIndex() + 8 * index);
}

// Typed reading. The first failure sticks in `readStatus` until resetReading().

let readStatus: i32 = OK;
/** OK, or the first failure since resetReading(). */
export function readingStatus(): i32 {
  return readStatus;
}
/** Forgets failures. */
export function resetReading(): void {
  readStatus = OK;
}
function failReading(code: i32, key: string, value: f64, expected: f64): void {
  if (readStatus == OK) readStatus = failAt(code, key, value, expected);
}

/** Bytes of a scalar value, 0 for strings, arrays and unknown types. */
export function scalarBytes(type: u32): u32 {
  if (type == VALUE_U8 || type == VALUE_I8 || type == VALUE_BOOL) return 1;
  if (type == VALUE_U16 || type == VALUE_I16) return 2;
  if (type == VALUE_U32 || type == VALUE_I32 || type == VALUE_F32) return 4;
  if (type == VALUE_U64 || type == VALUE_I64 || type == VALUE_F64) return 8;
  return 0;
}

/** Address of the value (after its type) of `key`, or 0. */
export function findValue(key: string): usize {
  for (let i = 0; i < header.metadataTotal; i++) {
    const record = metadataRecord(i);
    const length = load<u32>(record);
    if (equals(record + 8, length, key)) return record + 8 + length + 4;
  }
  return 0;
}

/** An integer of any width within [minimum, maximum]; MISSING_KEY when the key is fallback. */
export function requiredInteger(key: string, minimum: i64, maximum: i64): i64 {
  if (findValue(key)) return integer(key, minimum, maximum, minimum);
  failReading(MISSING_KEY, key, 0, <f64>minimum);
  return minimum;
}

/** An integer of any width within [minimum, maximum], or `fallback` when the key is missing. */
export function integer(key: string, minimum: i64, maximum: i64, fallback: i64): i64 {
  const value = findValue(key);
  if (!value) return fallback;
  return checkedInteger(key, load<u32>(value - 4), value, minimum, maximum);
}

/**
 * The same for what may be stated once or for each layer: an array of `layers` equal numbers is as good as one of them.
 * BAD_VALUE for other arrays
 */
export function layerInteger(key: string, layers: i32, minimum: i64, maximum: i64, fallback: i64): i64 {
  const value = findValue(key);
  if (!value || load<u32>(value - 4) != VALUE_ARRAY) return integer(key, minimum, maximum, fallback);
  const type = load<u32>(value);
  const count = load<u64>(value, 4);
  const bytes = scalarBytes(type);
  const first = value + 12;
  if (bytes == 0 || count == 0 || count != <u64>layers) {
    failReading(BAD_VALUE, key, <f64>count, layers);
    return minimum;
  }
  const number = checkedInteger(key, type, first, minimum, maximum);
  for (let i: usize = 1; i < <usize>count; i++) {
    const other = checkedInteger(key, type, first + i * bytes, minimum, maximum);
    if (other == number) continue;
    failReading(BAD_VALUE, key, <f64>other, <f64>number);
    return minimum;
  }
  return number;
}

function checkedInteger(key: string, type: u32, value: usize, minimum: i64, maximum: i64): i64 {
  let number: i64 = 0;
  if (type == VALUE_U32) number = load<u32>(value);
  else if (type == VALUE_I32) number = load<i32>(value);
  else if (type == VALUE_U64 || type == VALUE_I64) number = load<i64>(value);
  else if (type == VALUE_U16) number = load<u16>(value);
  else if (type == VALUE_I16) number = load<i16>(value);
  else if (type == VALUE_U8) number = load<u8>(value);
  else if (type == VALUE_I8) number = load<i8>(value);
  else {
    failReading(BAD_VALUE_TYPE, key, type, VALUE_U32);
    return minimum;
  }
  const huge = type == VALUE_U64 && number < 0;
  if (huge || number < minimum || number > maximum) {
    failReading(
      BAD_VALUE,
      key,
      huge ? <f64>(<u64>number) : <f64>number,
      <f64>(number < minimum && !huge ? minimum : maximum),
    );
    return minimum;
  }
  return number;
}

/** A finite float above `above`; `fallback` when the key is missing, or MISSING_KEY if that is NaN. */
export function float(key: string, above: f64, fallback: f64): f64 {
  const value = findValue(key);
  if (!value) {
    if (isNaN<f64>(fallback)) failReading(MISSING_KEY, key, 0, 0);
    return fallback;
  }
  const type = load<u32>(value - 4);
  if (type != VALUE_F32 && type != VALUE_F64) {
    failReading(BAD_VALUE_TYPE, key, type, VALUE_F32);
    return 1;
  }
  const number = type == VALUE_F32 ? <f64>load<f32>(value) : load<f64>(value);
  if (!isFinite<f64>(number) || !(number > above)) {
    failReading(BAD_VALUE, key, number, above);
    return 1;
  }
  return number;
}

/** A boolean, or `fallback` when the key is missing. */
export function boolean(key: string, fallback: bool): bool {
  const value = findValue(key);
  if (!value) return fallback;
  if (load<u32>(value - 4) != VALUE_BOOL) {
    failReading(BAD_VALUE_TYPE, key, load<u32>(value - 4), VALUE_BOOL);
    return fallback;
  }
  return load<u8>(value) != 0;
}

/** Address of a string value `length u64 | bytes`, or 0 when missing. */
export function text(key: string): usize {
  const value = findValue(key);
  if (value && load<u32>(value - 4) != VALUE_STRING) {
    failReading(BAD_VALUE_TYPE, key, load<u32>(value - 4), VALUE_STRING);
    return 0;
  }
  return value;
}

/** Whether a string value `length u64 | bytes` is the ASCII literal. */
export function isText(value: usize, literal: string): bool {
  return equals(value + 8, load<u32>(value), literal);
}

/** Address of an array value `element type | count u64 | elements`, or 0 when missing. */
export function array(key: string, elementType: u32, required: bool): usize {
  const value = findValue(key);
  if (!value) {
    if (required) failReading(MISSING_KEY, key, 0, 0);
    return 0;
  }
  if (load<u32>(value - 4) != VALUE_ARRAY) {
    failReading(BAD_VALUE_TYPE, key, load<u32>(value - 4), VALUE_ARRAY);
    return 0;
  }
  if (load<u32>(value) != elementType) {
    failReading(BAD_ELEMENT_TYPE, key, load<u32>(value), elementType);
    return 0;
  }
  return value;
}
