// Bearer tokens.

import { hex } from "../../api/hex.js";
import { ApiError } from "./errors.js";

/** Checks an authorization header; how long it takes tells nothing about the keys. */
export class Keys {
  readonly #digests: Promise<Uint8Array[]>;

  constructor(keys: readonly string[]) {
    this.#digests = Promise.all(keys.map(digest));
    this.#digests.catch(() => {}); // check() throws it
  }

  /** Names the key, the same in every process; "" where none are wanted. @throws ApiError 401 */
  async check(authorization: string | undefined): Promise<string> {
    const keys = await this.#digests;
    if (keys.length === 0) return "";
    const [, token] = /^Bearer +(\S+) *$/i.exec(authorization ?? "") ?? [];
    if (token === undefined) throw denied("no API key: send it as Authorization: Bearer KEY");
    const given = await digest(token);
    const same = keys.map((key) => equal(key, given)); // all of them
    if (!same.includes(true)) throw denied("the API key is wrong");
    return `key ${hex(given)}`;
  }
}

/** The authorization of a request: Anthropic's clients have a header of their own for keys. */
export function authorizationOf(headers: Headers): string | undefined {
  const key = headers.get("x-api-key");
  return headers.get("authorization") ?? (key === null ? undefined : `Bearer ${key}`);
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  let difference = 0;
  a.forEach((byte, i) => {
    difference |= byte ^ b[i]!;
  });
  return difference === 0;
}

function denied(message: string): ApiError {
  return new ApiError(401, message, { code: "invalid_api_key", headers: { "www-authenticate": "Bearer" } });
}
