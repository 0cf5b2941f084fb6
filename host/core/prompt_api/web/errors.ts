// The exceptions of the standard. What the engine throws becomes one of them, with its ZagreusError as the cause.

/** As https://webidl.spec.whatwg.org/#quotaexceedederror says. */
interface QuotaExceeded extends DOMException {
  readonly quota: number | null;
  readonly requested: number | null;
}

type QuotaExceededClass = new (message?: string, options?: { quota?: number; requested?: number }) => QuotaExceeded;

class OwnQuotaExceededError extends DOMException implements QuotaExceeded {
  readonly quota: number | null;
  readonly requested: number | null;

  constructor(message = "", { quota, requested }: { quota?: number; requested?: number } = {}) {
    super(message, "QuotaExceededError");
    this.quota = quota ?? null;
    this.requested = requested ?? null;
  }
}

const platform = (globalThis as { QuotaExceededError?: QuotaExceededClass }).QuotaExceededError;

/** The platform's class, or one like it where there is none yet. */
export const QuotaExceededError: QuotaExceededClass = platform ?? OwnQuotaExceededError;

export type DomErrorName =
  | "AbortError"
  | "DataError"
  | "InvalidStateError"
  | "NetworkError"
  | "NotAllowedError"
  | "NotSupportedError"
  | "OperationError"
  | "SyntaxError"
  | "UnknownError";

/** @param cause what the engine said, which is `cause` of the exception */
export function domError(name: DomErrorName, message: string, cause?: unknown): DOMException {
  const error = new DOMException(message, name);
  if (cause !== undefined) Object.defineProperty(error, "cause", { value: cause, configurable: true, writable: true });
  return error;
}

/** The code of a ZagreusError, also one of another bundle of this package. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== "ZagreusError") return undefined;
  return (error as { code?: string }).code;
}

/** Codes of what went wrong on the way to the model's bytes. */
const NETWORK = [
  "SOURCE_FAILED",
  "OFFLINE",
  "HUB_BUSY",
  "HUB_FAILED",
  "HUB_DENIED",
  "HUB_NOT_FOUND",
  "BAD_CHECKSUM",
  "DISK_FULL",
  "WRITE_FAILED",
];

/** What loading a model threw. */
export function loadError(error: unknown): unknown {
  const code = codeOf(error);
  if (code === undefined) return error instanceof DOMException ? error : domError("OperationError", `${error}`, error);
  const { message } = error as Error;
  if (code === "UNSUPPORTED_RUNTIME") return domError("NotSupportedError", message, error);
  return domError(NETWORK.includes(code) ? "NetworkError" : "OperationError", message, error);
}

/** What a generation threw. @param constrained whether it had a responseConstraint */
export function promptError(error: unknown, constrained: boolean): unknown {
  const code = codeOf(error);
  if (code === undefined) return error;
  const { message } = error as Error;
  if (code === "BAD_SCHEMA" || code === "BAD_GRAMMAR") return domError("NotSupportedError", message, error);
  // No room is left for the shortest text that complies.
  if (constrained && ["INVALID_OPTION", "CONTEXT_OVERFLOW"].includes(code)) {
    return domError("SyntaxError", message, error);
  }
  if (code === "CLOSED") return domError("InvalidStateError", message, error);
  return domError(code === "THREAD_FAILED" ? "OperationError" : "UnknownError", message, error);
}
