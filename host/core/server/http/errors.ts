// Errors as OpenAI's API has them: a status and {error: {message, type, param, code}}.

import type { ErrorCode } from "../../api/errors.js";

type Type = "invalid_request_error" | "authentication_error" | "rate_limit_error" | "server_error";

export interface ErrorBody {
  error: { message: string; type: Type; param: string | null; code: string | null };
}

/** An answer that is an error. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string | null;
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    message: string,
    { code = null, param = null, headers = {} }: Partial<Pick<ApiError, "code" | "param" | "headers">> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
    this.headers = headers;
  }

  get body(): ErrorBody {
    const { message, param, code, status } = this;
    return { error: { message, type: typeOf(status), param, code } };
  }
}

/** 400; `param` is the field that is to blame. */
export function badRequest(message: string, param: string | null, code: string | null = "invalid_value"): ApiError {
  return new ApiError(400, message, { param, code });
}

/** 503, for requests that come while the server ends. */
export function shuttingDown(): ApiError {
  return new ApiError(503, "the server is shutting down", { code: "shutting_down", headers: { "retry-after": "5" } });
}

/** Codes of the library that a request is to blame for; `hint` is what to do where the library names one of its functions. */
const BLAMED: Partial<Record<ErrorCode, { code: string; param?: string; hint?: string }>> = {
  INVALID_OPTION: { code: "invalid_value" },
  BAD_TOKEN: { code: "invalid_value" },
  PRETOKEN_TOO_LONG: { code: "invalid_value" },
  CONTEXT_OVERFLOW: { code: "context_length_exceeded" },
  BAD_SCHEMA: { code: "invalid_schema", param: "response_format" },
  BAD_GRAMMAR: { code: "invalid_grammar", param: "grammar" },
  BAD_TEMPLATE: { code: "invalid_messages", param: "messages" },
  NO_CHAT_TEMPLATE: {
    code: "no_chat_template",
    param: "model",
    hint: "Use /v1/completions, or start the server with a template (--template)",
  },
};

/** The answer to a request that failed; `unexpected` is told of what no request is to blame for. */
export function apiError(error: unknown, unexpected: (error: unknown) => void): ApiError {
  if (error instanceof ApiError) return error;
  if (isLibraryError(error)) {
    const blamed = BLAMED[error.code];
    if (blamed) {
      const field = parameter(error.field);
      const message = field ? error.message.replace(`option "${error.field}"`, field) : error.message;
      const text = blamed.hint ? message.replace(/Use complete\(\).*$/, blamed.hint) : message;
      return badRequest(text, blamed.param ?? field, blamed.code);
    }
    if (error.code === "ABORTED") return error.cause instanceof ApiError ? error.cause : clientGone();
    if (error.code === "CLOSED") return new ApiError(503, "the model is closed", { code: "model_unavailable" });
    if (error.code === "THREAD_FAILED" || error.code === "SHARD_FAILED") {
      unexpected(error);
      return new ApiError(503, "the model has failed", { code: "model_unavailable" });
    }
  }
  unexpected(error);
  return new ApiError(500, "the server failed; its log says how", { code: "internal_error" });
}

/** nginx's status for a client that did not wait for its answer. */
export function clientGone(): ApiError {
  return new ApiError(499, "the client closed the request", { code: "client_closed_request" });
}

interface LibraryError extends Error {
  code: ErrorCode;
  field: string | undefined;
}

/** By name: where the server is a bundle of its own, so is its class. */
function isLibraryError(error: unknown): error is LibraryError {
  return error instanceof Error && error.name === "ZagreusError" && "code" in error;
}

/** "maxTokens" is max_tokens in requests. */
function parameter(field: string | undefined): string | null {
  return field?.replace(/^\w+/, (name) => name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`)) || null;
}

function typeOf(status: number): Type {
  if (status === 401) return "authentication_error";
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}
