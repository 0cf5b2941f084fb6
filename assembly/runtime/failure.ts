// What went wrong last: a status code with the field, its value and what was expected instead. The host turns it into text.

import { failureText, FAILURE_TEXT_BYTES } from "./memory";

let fieldLength: i32 = 0;
let failedValue: f64 = 0;
let failedExpectation: f64 = 0;

/** Records a failure about the field named by `length` UTF-8 bytes at `field`, and returns `code`. */
export function fail(code: i32, field: usize, length: usize, value: f64, expected: f64): i32 {
  fieldLength = <i32>min<usize>(length, FAILURE_TEXT_BYTES);
  memory.copy(failureText(), field, fieldLength);
  failedValue = value;
  failedExpectation = expected;
  return code;
}

/** The same for a field named by an ASCII literal. */
export function failAt(code: i32, field: string, value: f64, expected: f64): i32 {
  fieldLength = min<i32>(field.length, <i32>FAILURE_TEXT_BYTES);
  for (let i = 0; i < fieldLength; i++) store<u8>(failureText() + i, field.charCodeAt(i));
  failedValue = value;
  failedExpectation = expected;
  return code;
}

/** UTF-8 name of the field that the last failure is about; what it means: layout/status.ts. */
export function errorField(): usize {
  return failureText();
}
/** Bytes of it. */
export function errorFieldLength(): i32 {
  return fieldLength;
}
/** The value that the field had. */
export function errorValue(): f64 {
  return failedValue;
}
/** What was expected instead. */
export function errorExpected(): f64 {
  return failedExpectation;
}
