// The core's KV cache holds one token sequence. What has to give way is parked in a pool, and whoever comes gets the longest beginning
// of his tokens that is anywhere: sessions, chats and prompts need nothing but their tokens to find it. Since results do not depend on
// how a prompt was split, neither this nor what the pool has lost ever changes an answer. What came from a snapshot stays apart.

import { INFO_KV_LENGTH } from "../../../assembly/layout/abi.js";
import type { Core } from "../wasm/core.js";
import { BLOCK_TOKENS, type Found, HERE, KvPool, type Origin } from "./kv_pool.js";

/** The first `length` positions of the cache: every segment's bytes, one after the other. */
export interface KvBytes {
  length: number;
  bytes: Uint8Array;
}

/** One segment of the cache (assembly/model/kv_cache.ts). */
interface Segment {
  address: number;
  /** Bytes of BLOCK_TOKENS positions. */
  stride: number;
}

export class KvCache {
  readonly #core: Core;
  readonly #pool: KvPool;
  readonly #segments: readonly Segment[];
  /** Positions, from the first on, that are parked when another sequence comes. */
  #parkable = 0;
  #origin = HERE;

  /**
   * @param core with a model
   * @param budget bytes that may be parked
   */
  constructor(core: Core, budget: number) {
    const { exports } = core;
    this.#core = core;
    this.#segments = Array.from({ length: exports.kvSegments() }, (_, i) => ({
      address: exports.kvSegment(i) >>> 0,
      stride: exports.kvSegmentBytes(i, BLOCK_TOKENS),
    }));
    this.#pool = new KvPool(this.bytesFor(BLOCK_TOKENS), budget);
  }

  /**
   * Fills the cache with the longest beginning of `tokens` that it or the pool has, and parks what has to give way.
   * @param from first position that will be run in any case
   * @param parks whether what will be run is parked in its turn
   * @returns the length of this beginning
   */
  restorePrefix(
    tokens: readonly number[],
    from: number,
    { origin, parks }: { origin: Origin; parks: boolean },
  ): number {
    const had = this.#history().length;
    const here = origin === this.#origin ? this.#common(tokens) : 0;
    const found = this.#pool.find(tokens, origin);
    if (here < Math.min(had, this.#parkable)) this.#park(found);
    const brings = Math.min(found.length, from) > here;
    if (brings) this.#unpark(tokens, found, here);
    this.#parkable = parks ? Number.POSITIVE_INFINITY : Math.min(this.#parkable, here);
    this.#origin = origin;
    return brings ? found.length : here;
  }

  /** Drops what the cache has beyond `tokens`: guesses that did not come true, and what a stop string took back. */
  truncate(tokens: readonly number[]): void {
    const length = this.#common(tokens);
    if (length < this.#history().length) this.#setLength(length);
  }

  /** Lets go of the KV of `tokens`, which will not be continued. */
  forget(tokens: readonly number[], origin: Origin): void {
    this.#pool.forget(tokens, origin);
    if (origin === this.#origin && this.#common(tokens) === this.#history().length) this.#parkable = 0;
  }

  /** A copy of as much of `tokens` as there is. */
  copy(tokens: readonly number[], origin: Origin): KvBytes {
    const length = this.restorePrefix(tokens, tokens.length, { origin, parks: true });
    this.#setLength(length);
    const bytes = new Uint8Array(this.bytesFor(length));
    this.#eachSegment(length, (segment, at) => bytes.set(this.#memory(segment), at));
    return { length, bytes };
  }

  /**
   * Takes in what copy() gave, or what somebody says that it did.
   * @param idle whether nobody uses the cache now; otherwise it goes to the pool
   */
  restore(tokens: readonly number[], { length, bytes }: KvBytes, origin: Origin, idle: boolean): void {
    if (length === 0) return;
    const held = tokens.slice(0, length);
    if (idle) {
      this.restorePrefix(held, 0, { origin, parks: true });
      this.#eachSegment(length, (segment, at) => this.#memory(segment).set(bytes.subarray(at, at + segment.size)));
      this.#declare(held);
    } else {
      const read = (index: number, target: Uint8Array) => {
        let into = 0;
        this.#eachSegment(length, ({ stride, size }, at) => {
          const begin = index * stride;
          target.set(bytes.subarray(at + begin, at + Math.min(begin + stride, size)), into);
          into += stride;
        });
      };
      this.#pool.store(held, origin, read);
    }
  }

  /** Bytes that the first `length` positions take in all segments. */
  bytesFor(length: number): number {
    let sum = 0;
    for (let i = 0; i < this.segments; i++) sum += this.#core.exports.kvSegmentBytes(i, length);
    return sum;
  }
  get segments(): number {
    return this.#segments.length;
  }

  /** Tokens in the cache. */
  #history(): Uint32Array {
    const { exports } = this.#core;
    return this.#core.words(exports.history(), exports.info(INFO_KV_LENGTH));
  }

  /** How many of `tokens`, from the first on, the cache holds. */
  #common(tokens: readonly number[]): number {
    const history = this.#history();
    const most = Math.min(history.length, tokens.length);
    let length = 0;
    while (length < most && history[length] === tokens[length]) length++;
    return length;
  }

  #park(needed: Found): void {
    const tokens = Array.from(this.#history().subarray(0, this.#parkable));
    const read = (index: number, target: Uint8Array) => this.#eachInBlock(index, (here, at) => target.set(here, at));
    this.#pool.store(tokens, this.#origin, read, needed);
  }

  /** Copies what was found, as far as positions before `from` are not the same anyway. */
  #unpark(tokens: readonly number[], { blocks, length }: Found, from: number): void {
    for (let index = Math.floor(from / BLOCK_TOKENS); index < blocks.length; index++) {
      const { bytes } = blocks[index]!;
      this.#eachInBlock(index, (here, at) => here.set(bytes.subarray(at, at + here.length)));
    }
    this.#declare(tokens.slice(0, length));
  }

  /** Makes `tokens` what the cache holds. */
  #declare(tokens: readonly number[]): void {
    this.#core.words(this.#core.exports.history(), tokens.length).set(tokens);
    this.#setLength(tokens.length);
  }

  #setLength(length: number): void {
    this.#core.check(this.#core.exports.kvSetLength(length));
  }

  /** The bytes of block `index` in each segment, and where they lie in a block of the pool. */
  #eachInBlock(index: number, visit: (here: Uint8Array, at: number) => void): void {
    const memory = this.#core.bytes(0, this.#core.memory.buffer.byteLength);
    let at = 0;
    for (const { address, stride } of this.#segments) {
      const start = address + index * stride;
      visit(memory.subarray(start, start + stride), at);
      at += stride;
    }
  }

  /** Segments with the size of their first `length` positions, and where these lie in KvBytes. */
  #eachSegment(length: number, visit: (segment: Segment & { size: number }, at: number) => void): void {
    let at = 0;
    this.#segments.forEach((segment, i) => {
      const size = this.#core.exports.kvSegmentBytes(i, length);
      visit({ ...segment, size }, at);
      at += size;
    });
  }

  #memory({ address, size }: Segment & { size: number }): Uint8Array {
    return this.#core.bytes(address, size);
  }
}
