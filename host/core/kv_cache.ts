// The core's KV cache as a cache of one token sequence. It belongs to whoever ran last; a session that has to give way
// takes its bytes with it, and puts them back when it continues.

import { INFO_KV_LENGTH } from "../../assembly/layout/abi.js";
import type { Core } from "./core.js";

/** The first `length` positions of the cache: every segment's bytes, one after the other. */
export interface KvBytes {
  length: number;
  bytes: Uint8Array;
}

/** Somebody whose KV bytes are worth keeping. */
export interface Tenant {
  readonly tokens: readonly number[];
  /** Its bytes while it is out of the cache. */
  parked: KvBytes | undefined;
}

export class KvCache {
  readonly #core: Core;
  #tenant: Tenant | undefined;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Hands the cache to `tenant`, or to a passing generation that keeps nothing. */
  give(tenant: Tenant | undefined): void {
    if (this.#tenant === tenant) return;
    if (this.#tenant) this.#tenant.parked = this.#copy(this.#tenant.tokens);
    this.#tenant = tenant;
    if (!tenant?.parked) return;
    this.#restore(tenant.tokens, tenant.parked);
    tenant.parked = undefined;
  }

  /** Forgets a tenant without keeping its bytes. */
  evict(tenant: Tenant): void {
    if (this.#tenant === tenant) this.#tenant = undefined;
  }

  /** A tenant's bytes, wherever they are. */
  bytesOf(tenant: Tenant): KvBytes {
    if (this.#tenant === tenant) return this.#copy(tenant.tokens);
    return tenant.parked ?? { length: 0, bytes: new Uint8Array() };
  }

  /** How many of `tokens`, from the first on, the cache holds. */
  commonPrefix(tokens: readonly number[]): number {
    const { exports } = this.#core;
    const history = this.#core.words(exports.history(), exports.info(INFO_KV_LENGTH));
    const most = Math.min(history.length, tokens.length);
    let length = 0;
    while (length < most && history[length] === tokens[length]) length++;
    return length;
  }

  /** Bytes that the first `length` positions take in all segments. */
  bytesFor(length: number): number {
    const { exports } = this.#core;
    let sum = 0;
    for (let i = 0; i < this.segments; i++) sum += exports.kvSegmentBytes(i, length);
    return sum;
  }
  get segments(): number {
    return this.#core.exports.kvSegments();
  }

  /** Copies as much of `tokens` as the cache holds. */
  #copy(tokens: readonly number[]): KvBytes {
    const length = this.commonPrefix(tokens);
    this.#core.check(this.#core.exports.kvSetLength(length));
    const bytes = new Uint8Array(this.bytesFor(length));
    let at = 0;
    for (const segment of this.#segments(length)) {
      bytes.set(segment, at);
      at += segment.length;
    }
    return { length, bytes };
  }

  #restore(tokens: readonly number[], { length, bytes }: KvBytes): void {
    const core = this.#core;
    let at = 0;
    for (const segment of this.#segments(length)) {
      segment.set(bytes.subarray(at, at + segment.length));
      at += segment.length;
    }
    core.words(core.exports.history(), length).set(tokens.slice(0, length));
    core.check(core.exports.kvSetLength(length));
  }

  /** The first `length` positions of each segment, in memory. */
  #segments(length: number): Uint8Array[] {
    const { exports } = this.#core;
    return Array.from({ length: this.segments }, (_, i) =>
      this.#core.bytes(exports.kvSegment(i), exports.kvSegmentBytes(i, length)),
    );
  }
}
