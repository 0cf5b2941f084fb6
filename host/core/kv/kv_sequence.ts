// A sequence of the core while somebody runs it: its pages, and the tokens in them.

import type { CacheUse, KvCache } from "./kv_cache.js";
import { type Node, type Origin, PAGE_TOKENS } from "./page_tree.js";

export class KvSequence {
  /** Its number in the core. */
  readonly index: number;
  /** Whether the core is running it: then its pages stay as they are. */
  busy = false;
  /** Its pages, from the first position on. */
  readonly table: number[] = [];
  readonly #cache: KvCache;
  readonly #use: CacheUse;
  readonly #left: () => void;
  /** Tokens in the cache. */
  #tokens: number[] = [];
  /** Of the first pages, which others can read. */
  #path: Node[] = [];
  /** What close() was told while it was busy. */
  #closing: { tokens: readonly number[]; done: () => void } | undefined;
  #closed = false;

  /** @param left called when it is over */
  constructor(cache: KvCache, index: number, use: CacheUse, left: () => void) {
    this.#cache = cache;
    this.index = index;
    this.#use = use;
    this.#left = left;
  }

  /** Positions in the cache. */
  get length(): number {
    return this.#tokens.length;
  }

  /** Whether it has nothing in the cache. */
  get isEmpty(): boolean {
    return this.table.length === 0;
  }

  get origin(): Origin {
    return this.#use.origin;
  }

  get closed(): boolean {
    return this.#closed || this.#closing !== undefined;
  }

  /**
   * Makes the cache hold the longest beginning of `tokens` that is there, without the one at position `from` and those behind it, which
   * will be run in any case.
   * @returns its length
   */
  align(tokens: readonly number[], from: number): number {
    const common = this.#common(tokens, from);
    if (!this.isEmpty && common >= this.#path.length * PAGE_TOKENS) {
      this.#cut(common);
      return common;
    }
    this.drop();
    return this.#restore(tokens, from);
  }

  /** Whether there are pages for `length` positions now. */
  grow(length: number): boolean {
    while (this.table.length * PAGE_TOKENS < length) {
      const page = this.#cache.acquire();
      if (page === undefined) return false;
      this.#setPage(this.table.length, page);
    }
    return true;
  }

  /** Tokens from position length on have been run; those before `sure` are the sequence's for good. */
  ran(tokens: readonly number[], sure: number): void {
    this.#tokens.push(...tokens);
    if (this.#use.shares) this.#share(Math.min(sure, this.length));
  }

  /** Gives up its pages; its tokens can be run again. */
  drop(): void {
    for (const page of this.table.splice(0)) this.#cache.release(page);
    this.#tokens = [];
    this.#path = [];
  }

  /**
   * Ends it: what the cache has of `tokens` is kept for others if it is to be, the rest is given up.
   * @param done called when that is so: at once, or when the core has done with it
   */
  close(tokens: readonly number[], done: () => void = () => {}): void {
    if (this.closed) return;
    this.#closing = { tokens, done };
    if (!this.busy) this.settle();
  }

  /** The core has done with it. */
  settle(): void {
    this.busy = false;
    if (!this.#closing) return;
    const { tokens, done } = this.#closing;
    this.#closing = undefined;
    this.#closed = true;
    if (this.#use.shares) {
      this.#tokens.length = this.#common(tokens, tokens.length);
      this.#share(this.length);
      this.#shareRest();
    }
    this.drop();
    this.#left();
    done();
  }

  /** How many tokens at the beginning are in the cache, of those before `most`. */
  #common(tokens: readonly number[], most: number): number {
    const end = Math.min(this.length, tokens.length, most);
    let length = 0;
    while (length < end && this.#tokens[length] === tokens[length]) length++;
    return length;
  }

  /** Forgets what is behind the first `length` positions, which lie in pages of its own. */
  #cut(length: number): void {
    this.#tokens.length = length;
    const pages = Math.ceil(length / PAGE_TOKENS);
    for (const page of this.table.splice(pages)) this.#cache.release(page);
  }

  #restore(tokens: readonly number[], from: number): number {
    const { core, tree } = this.#cache;
    const found = tree.find(tokens, this.#use.origin);
    const length = Math.min(found.length, from);
    const whole = Math.floor(length / PAGE_TOKENS);
    for (const node of found.nodes.slice(0, whole)) {
      this.#cache.share(node.page);
      this.#setPage(this.table.length, node.page);
      this.#path.push(node);
    }
    const part = this.#copyPart(found.nodes[whole], length % PAGE_TOKENS);
    this.#tokens = tokens.slice(0, whole * PAGE_TOKENS + part);
    core.words(core.exports.history(this.index), this.length).set(this.#tokens);
    core.check(core.exports.setLength(this.index, this.length));
    return this.length;
  }

  /** Copies the first `length` positions of a node, if there is a page for them; returns how many. */
  #copyPart(node: Node | undefined, length: number): number {
    const page = node && length > 0 ? this.#cache.copyOfLast([node], length) : undefined;
    if (page === undefined) return 0;
    this.#setPage(this.table.length, page);
    return length;
  }

  /** Puts a page into its table, which may grow by it. */
  #setPage(index: number, page: number): void {
    const { core } = this.#cache;
    core.words(core.exports.pageTable(this.index), index + 1)[index] = page;
    this.table[index] = page;
  }

  /** Lets others read the full pages of the first `length` positions, or reads theirs instead of its own. */
  #share(length: number): void {
    for (let index = this.#path.length; (index + 1) * PAGE_TOKENS <= length; index++) {
      const own = this.table[index]!;
      const tokens = this.#tokens.slice(index * PAGE_TOKENS, (index + 1) * PAGE_TOKENS);
      const node = this.#cache.publish(this.#path, tokens, own, this.#use.origin);
      if (node.page !== own) {
        this.#cache.share(node.page);
        this.#cache.release(own);
        this.#setPage(index, node.page);
      }
      this.#path.push(node);
    }
  }

  /** The same for the page that is not full. */
  #shareRest(): void {
    const tokens = this.#tokens.slice(this.#path.length * PAGE_TOKENS);
    const page = this.table[this.#path.length];
    if (tokens.length > 0 && page !== undefined) this.#cache.publish(this.#path, tokens, page, this.#use.origin);
  }
}
