// One error class with a closed set of codes: those of the core (assembly/layout/status.ts) and those of the host.

import type * as status from "../../../assembly/layout/status.js";

type NotAnError = "OK" | "NEED_BYTES" | "HEADER_READY" | "LOADED" | "FIRST_ERROR";

/** Errors that the core reports; its BAD_OPTION is the host's INVALID_OPTION. */
export type CoreErrorCode = Exclude<keyof typeof status, NotAnError | "BAD_OPTION">;

export type HostErrorCode =
  | "ABORTED" // the caller's signal fired; `cause` is its reason
  | "BUSY" // a completion is read a second time
  | "CLOSED" // the model or session was closed
  | "THREAD_FAILED" // a worker thread could not start or has died; the model has to be loaded again
  | "SHARD_FAILED" // a part of the model that is elsewhere does not answer, or not as it must; `cause` says why
  | "SOURCE_FAILED" // the model's bytes could not be read; `cause` says why
  | "HUB_DENIED" // the model hub wants a token (401) or its terms accepted (403); `field` is the repository, `value` the status
  | "HUB_NOT_FOUND" // no such repository, revision or file, or not what is needed
  | "HUB_BUSY" // too many requests (429), still after some retries
  | "HUB_FAILED" // an answer of the hub that is of no use; `value` is its status, if that is the reason
  | "OFFLINE" // no network, or told not to use it, and the model is not cached
  | "BAD_CHECKSUM" // a download, or a cached file, is not what the hub states; or a piece not what its manifest states
  | "DISK_FULL"
  | "WRITE_FAILED" // a file could not be written; `cause` says why
  | "INVALID_OPTION"
  | "BAD_SNAPSHOT" // damaged, or no snapshot at all
  | "FOREIGN_SNAPSHOT" // intact, but of another model or KV cache
  | "BAD_RECEIPT" // no receipt, or of a model that was loaded otherwise
  | "BAD_ADAPTER" // damaged, or of a kind that is not supported; `field` is the key or tensor
  | "FOREIGN_ADAPTER" // intact, but of another model
  | "BAD_JSON" // a checkpoint's file or header, or a manifest, is not the JSON it must be; `field` names it
  | "BAD_SCHEMA" // a JSON Schema that is malformed, too large, or says what cannot be guaranteed; `field` is the path
  | "BAD_GRAMMAR" // a grammar with a mistake; `value` says where
  | "BAD_TEMPLATE" // a chat template with a mistake, or beyond the limits of time and output
  | "NO_CHAT_TEMPLATE" // a base model, which knows no conversations
  | "BAD_YAML" // a checkpoint's configuration file is not what its name says
  | "UNSUPPORTED_RUNTIME"; // no WebAssembly SIMD here, or not what the wanted build needs

/** What programs test: a code of the core (assembly/layout/status.ts) or of the hosts. */
export type ErrorCode = CoreErrorCode | HostErrorCode;

/** What an error is about, as data. */
export interface ErrorDetails {
  /** A metadata key, a tensor, an option. */
  field?: string | undefined;
  /** The value that the field had. */
  value?: unknown;
  /** What would have been right, or the limit. */
  expected?: unknown;
  /** What it comes from, such as an error of the file system. */
  cause?: unknown;
}

/** Everything that this package throws on purpose. The message has the actual values; `code` is what programs test. */
export class ZagreusError extends Error {
  override readonly name = "ZagreusError";
  /** What programs test. */
  readonly code: ErrorCode;
  /** What the error is about: a metadata key, a tensor, an option. */
  readonly field: string | undefined;
  /** The value that the field had. */
  readonly value: unknown;
  /** What would have been right, or the limit. */
  readonly expected: unknown;

  constructor(code: ErrorCode, message: string, { field, value, expected, cause }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.field = field;
    this.value = value;
    this.expected = expected;
  }
}

/** INVALID_OPTION for option `field`, which is `value` and must be `expected` (a phrase that follows "must be"). */
export function invalidOption(field: string, value: unknown, expected: string): ZagreusError {
  return new ZagreusError("INVALID_OPTION", `option "${field}" is ${show(value)}, must be ${expected}`, {
    field,
    value,
    expected,
  });
}

/** INVALID_OPTION for an option of a name that is none. */
export function unknownOption(field: string, value: unknown, known: readonly string[]): ZagreusError {
  const expected = `one of ${known.join(", ")}`;
  return new ZagreusError("INVALID_OPTION", `unknown option "${field}", must be ${expected}`, {
    field,
    value,
    expected,
  });
}

/** ABORTED, with the signal's reason as its cause. */
export function aborted(reason: unknown): ZagreusError {
  return new ZagreusError("ABORTED", "aborted by the caller's signal", { cause: reason });
}

/** CLOSED, for a call of a model or a session that is. */
export function closed(what: string): ZagreusError {
  return new ZagreusError("CLOSED", `the ${what} is closed`);
}

/** INVALID_OPTION for adapters that are given to a text of a session. */
export function adaptersOfSession(value: unknown): ZagreusError {
  return invalidOption("adapters", value, "given to session() and restore(), for all of its texts");
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (value === null || typeof value !== "object") return typeof value === "function" ? "a function" : String(value);
  return Array.isArray(value) ? "an array" : "an object";
}

/**
 * A part of the package that is loaded when it is wanted.
 * @throws ZagreusError SOURCE_FAILED where it is gone: no network, or another version in its place
 */
export async function part<T>(loading: Promise<T>): Promise<T> {
  try {
    return await loading;
  } catch (cause) {
    throw new ZagreusError("SOURCE_FAILED", `cannot load a part of zagreus-edge: ${cause}`, { cause });
  }
}
