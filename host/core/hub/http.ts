// Requests to the hub and what it redirects to.

import { aborted, ZagreusError } from "../api/errors.js";
import { printable } from "../api/printable.js";
import type { HubPlatform } from "./platform.js";

const MAX_REDIRECTS = 10;
const MAX_ATTEMPTS = 5;
const MAX_PAUSE_MS = 60_000;

/** A failure that may not happen again. */
export class Transient extends Error {
  readonly error: ZagreusError;
  /** What the server asked for. */
  readonly pauseMs: number | undefined;

  constructor(error: ZagreusError, pauseMs?: number) {
    super(error.message, { cause: error });
    this.error = error;
    this.pauseMs = pauseMs;
  }
}

/** The last of a chain of redirects, and what the hub itself said on the way. */
export interface HubResponse {
  response: Response;
  /** The headers of the hub's own answers; the CDN has no say in them. */
  hub: Headers;
  /** The next piece of the body. @throws Transient when the connection breaks or stalls, ZagreusError ABORTED */
  read(): Promise<Uint8Array | undefined>;
  /** Gives up the body. */
  cancel(): void;
}

export class Http {
  readonly #platform: HubPlatform;
  readonly #repository: string;
  readonly signal: AbortSignal | undefined;

  constructor(platform: HubPlatform, repository: string, signal: AbortSignal | undefined) {
    this.#platform = platform;
    this.#repository = repository;
    this.signal = signal;
  }

  /**
   * One request. The token goes to the endpoint's origin and nowhere else.
   * @param path below the endpoint
   * @param accept statuses that are no failure
   * @throws Transient, ZagreusError ABORTED, HUB_DENIED, HUB_NOT_FOUND, HUB_FAILED
   */
  async request(path: string, accept: readonly number[], headers: Record<string, string> = {}): Promise<HubResponse> {
    const { endpoint, token } = this.#platform.settings;
    const { origin } = new URL(endpoint);
    const hub = new Headers();
    let url = new URL(endpoint + path);
    for (let redirects = 0; ; redirects++) {
      const fromHub = url.origin === origin;
      const authorization = token !== undefined && fromHub && { authorization: `Bearer ${token}` };
      const answer = await this.#fetch(url, {
        "accept-encoding": "identity", // sizes and ranges are those of the file
        "user-agent": "zagreus-edge",
        ...headers,
        ...authorization,
      });
      const { response } = answer;
      if (fromHub) {
        response.headers.forEach((value, name) => {
          if (!hub.has(name)) hub.set(name, value);
        });
      }
      const location = response.headers.get("location");
      if (response.status < 300 || response.status >= 400 || response.status === 304 || location === null) {
        if (accept.includes(response.status)) return { ...answer, hub };
        answer.cancel();
        throw this.#failure(response, url, fromHub);
      }
      answer.cancel();
      if (redirects === MAX_REDIRECTS) {
        throw this.#failed(`more than ${MAX_REDIRECTS} redirects, the last from ${url.host}`, response.status);
      }
      const next = URL.canParse(location, url.href) ? new URL(location, url.href) : undefined;
      // Never from https: to http:.
      if (!next || !(next.protocol === "https:" || next.protocol === url.protocol)) {
        throw this.#failed(`${url.host} redirects to "${plain(location)}", which is not followed`, response.status);
      }
      url = next;
    }
  }

  /** Calls `attempt` until it succeeds, within reason. */
  async retrying<T>(attempt: () => Promise<T>, attempts = MAX_ATTEMPTS): Promise<T> {
    const patience = this.patience(attempts);
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        await patience.after(error);
      }
    }
  }

  patience(attempts = MAX_ATTEMPTS): Patience {
    return new Patience(attempts, this.#platform.settings.retryDelayMs, this.signal);
  }

  #failed(what: string, status: number): ZagreusError {
    return new ZagreusError("HUB_FAILED", `${this.#repository}: ${what}`, { field: this.#repository, value: status });
  }

  async #fetch(url: URL, headers: Record<string, string>): Promise<Omit<HubResponse, "hub">> {
    const { fetch, settings } = this.#platform;
    const { signal } = this;
    checkAborted(signal);
    const controller = new AbortController();
    const abort = () => controller.abort(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    const finish = () => signal?.removeEventListener("abort", abort);
    const cancel = () => {
      finish();
      controller.abort();
    };
    /** Waits for the server, but not for ever. */
    const wait = async <T>(promise: Promise<T>): Promise<T> => {
      let stalled = false;
      const timer = setTimeout(() => {
        stalled = true;
        controller.abort();
      }, settings.timeoutMs);
      try {
        return await promise;
      } catch (error) {
        cancel();
        checkAborted(signal);
        const hint = (await this.#platform.hint?.(url)) ?? "";
        const reason = stalled ? `no answer for ${settings.timeoutMs / 1000} s` : cause(error);
        throw new Transient(
          new ZagreusError("OFFLINE", `${this.#repository}: cannot reach ${url.host}: ${reason}${hint}`, {
            field: this.#repository,
            value: url.host,
            cause: error,
          }),
        );
      } finally {
        clearTimeout(timer);
      }
    };
    const response = await wait(fetch(url, { headers, redirect: "manual", signal: controller.signal }));
    const reader = response.body?.getReader();
    return {
      response,
      cancel,
      async read() {
        const { done, value } = reader ? await wait(reader.read()) : { done: true };
        if (!done) return value;
        finish();
        return undefined;
      },
    };
  }

  #failure(response: Response, url: URL, fromHub: boolean): ZagreusError | Transient {
    const { status, headers } = response;
    const { endpoint, token } = this.#platform.settings;
    const error = (code: "HUB_DENIED" | "HUB_NOT_FOUND" | "HUB_BUSY" | "HUB_FAILED", what: string) =>
      new ZagreusError(code, `${this.#repository}: ${url.host} answers ${status}: ${what}`, {
        field: this.#repository,
        value: status,
      });
    const gated = headers.get("x-error-code") === "GatedRepo";
    // A CDN says 403 when its signed URL has run out; the hub signs another.
    if (!fromHub && status < 500 && status !== 429) return new Transient(error("HUB_FAILED", "unexpected"));
    if (gated) {
      const login = token === undefined ? " and set HF_TOKEN" : "";
      return error("HUB_DENIED", `the model is gated: accept its terms at ${endpoint}/${this.#repository}${login}`);
    }
    if (status === 401 || status === 403) {
      const advice =
        token === undefined
          ? "there is no such repository, or it is private: check the name, or set HF_TOKEN to a token that may read it"
          : "the token is not valid, or may not read this repository";
      return error("HUB_DENIED", advice);
    }
    if (status === 404) return error("HUB_NOT_FOUND", notFound(headers.get("x-error-code")));
    if (status === 429) {
      const pause = retryAfter(headers);
      const when = pause === undefined ? "later" : `in ${Math.ceil(pause / 1000)} s`;
      const more = token === undefined ? ", or set HF_TOKEN, which raises the limit" : "";
      return new Transient(error("HUB_BUSY", `too many requests: try again ${when}${more}`), pause);
    }
    if (status === 408 || status >= 500) {
      return new Transient(error("HUB_FAILED", "the server has a problem: try again later"), retryAfter(headers));
    }
    return error("HUB_FAILED", "unexpected");
  }
}

/** Bounded retries with growing pauses. */
export class Patience {
  readonly #attempts: number;
  readonly #delayMs: number;
  readonly #signal: AbortSignal | undefined;
  #failures = 0;

  constructor(attempts: number, delayMs: number, signal: AbortSignal | undefined) {
    this.#attempts = attempts;
    this.#delayMs = delayMs;
    this.#signal = signal;
  }

  /** Failures before this do not count. */
  progressed(): void {
    this.#failures = 0;
  }

  /** Waits before the next attempt. @throws `error` when there should be none, ABORTED */
  async after(error: unknown): Promise<void> {
    if (!(error instanceof Transient)) throw error;
    this.#failures += 1;
    const pauseMs = error.pauseMs ?? this.#delayMs * 2 ** (this.#failures - 1);
    if (this.#failures >= this.#attempts || pauseMs > MAX_PAUSE_MS) throw error.error;
    await pause(pauseMs, this.#signal);
  }
}

/** @throws ZagreusError ABORTED */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal.reason);
}

/** @throws ZagreusError ABORTED */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(aborted(signal?.reason));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}

/** Milliseconds, from Retry-After (seconds or a date) or the hub's RateLimit ("api";r=0;t=55). */
function retryAfter(headers: Headers): number | undefined {
  const text = headers.get("retry-after") ?? /\bt=(\d+)/.exec(headers.get("ratelimit") ?? "")?.[1];
  if (text === undefined || text === null) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

function notFound(code: string | null): string {
  if (code === "RevisionNotFound") return "there is no such revision";
  if (code === "EntryNotFound") return "there is no such file";
  return "there is no such repository";
}

/** fetch() hides the reason in the cause. */
function cause(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error ? inner.message || (inner as { code?: string }).code || inner.name : String(inner);
}

/** Text of a server, fit for a terminal. */
function plain(text: string): string {
  return printable(text.slice(0, 100));
}
