// Errors as plain data: a copy between threads keeps neither their class nor what they carry.

import { type ErrorCode, ZagreusError } from "../api/errors.js";

export interface PackedError {
  name: string;
  message: string;
  /** Of a ZagreusError. */
  code?: ErrorCode;
  field?: string | undefined;
  value?: unknown;
  expected?: unknown;
  cause?: PackedError | undefined;
}

/** An error as plain data that can be posted, causes and all. */
export function packError(error: unknown): PackedError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message } = error;
  const cause = error.cause === undefined ? undefined : packError(error.cause);
  if (!(error instanceof ZagreusError)) return { name, message, cause };
  const { code, field } = error;
  return { name, message, cause, code, field, value: plain(error.value), expected: plain(error.expected) };
}

/** The error that packError() packed. */
export function unpackError({ name, message, code, field, value, expected, cause: packed }: PackedError): Error {
  const cause = packed && unpackError(packed);
  if (code) return new ZagreusError(code, message, { field, value, expected, cause });
  return Object.assign(new Error(message, cause && { cause }), { name });
}

/** Values that can be sent. */
function plain(value: unknown): unknown {
  return typeof value === "object" || typeof value === "function" || typeof value === "symbol" ? String(value) : value;
}
