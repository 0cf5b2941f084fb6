// The pages of the core's KV cache: who reads them, who may write them, which give way. A sequence has a table of pages while it runs.
// Full ones that it has run go into the tree at once, for whoever comes with the same beginning; they are never written again, and of a
// page of which only the beginning agrees, a sequence gets a copy. Since results depend on nothing but a sequence's own tokens, neither
// this nor what was lost ever changes an answer. What came from a snapshot stays apart.

import { INFO_PAGE_BYTES, INFO_PAGE_PARTS, INFO_PAGES } from "../../../assembly/layout/abi.js";
import type { Core } from "../wasm/core.js";
import { type Node, type Origin, PAGE_TOKENS, PageTree } from "./page_tree.js";

/** The first `length` positions of a sequence, in whole pages one after the other; behind the last position they are 0. */
export interface KvBytes {
  length: number;
  bytes: Uint8Array;
}

/** Whose KV a sequence may use, and who may have what is run. */
export interface CacheUse {
  origin: Origin;
  /** Whether others may have it. */
  shares: boolean;
}

/** Who reads pages. */
export interface HasPages {
  readonly table: readonly number[];
}

/** The pages of layers that are in other cores. */
export interface PagesElsewhere {
  /** That all of them have. */
  readonly pages: number;
  copy(source: number, target: number, length: number): void;
}

export class KvCache {
  readonly core: Core;
  readonly tree = new PageTree();
  readonly pages: number;
  readonly pageBytes: number;
  /** By page: sequences that have it in their table. */
  readonly #readers: Uint16Array;
  /** Nobody's. */
  readonly #free: number[];
  /** By page, of those in the tree. */
  readonly #nodes = new Map<number, Node>();

  /** Where pages lie elsewhere: told what copyPage() is. */
  readonly #copied: ((source: number, target: number, length: number) => void) | undefined;

  /**
   * @param core with a model
   * @param elsewhere where the core has no layers, but others: how many pages they have, and what copies one
   */
  constructor(core: Core, elsewhere?: PagesElsewhere) {
    this.core = core;
    this.#copied = elsewhere && ((...copy) => elsewhere.copy(...copy));
    this.pages = elsewhere?.pages ?? core.exports.info(INFO_PAGES);
    this.pageBytes = core.exports.info(INFO_PAGE_BYTES);
    this.#readers = new Uint16Array(this.pages);
    this.#free = Array.from({ length: this.pages }, (_, i) => this.pages - 1 - i);
  }

  /** Positions of pages that sequences read, that only the tree has, and that are nobody's. */
  get figures(): { used: number; kept: number; free: number } {
    const free = this.#free.length * PAGE_TOKENS;
    const used = this.#readers.reduce((sum, readers) => sum + (readers > 0 ? PAGE_TOKENS : 0), 0);
    return { used, kept: this.pages * PAGE_TOKENS - free - used, free };
  }

  /**
   * Whether there are pages for all of `tokens` and one more.
   * @param from first position that will be run in any case
   * @param waiting sequences that keep theirs
   */
  hasRoom(tokens: readonly number[], from: number, origin: Origin, waiting: Iterable<HasPages>): boolean {
    const kept = new Set([...waiting].flatMap(({ table }) => table));
    const { nodes, length } = this.tree.find(tokens, origin);
    const hits = Math.floor(Math.min(length, from) / PAGE_TOKENS);
    for (const { page } of nodes.slice(0, hits)) kept.add(page);
    const wanted = Math.min(Math.ceil((tokens.length + 1) / PAGE_TOKENS), this.pages);
    return this.pages - kept.size >= wanted - hits;
  }

  /** A page to write to; what was used longest ago gives way. Undefined when sequences read all of them. */
  acquire(): number | undefined {
    if (this.#free.length === 0) {
      for (const node of this.tree) {
        if (this.#readers[node.page]! > 0 || node.children.size > 0) continue;
        this.#drop(node);
        break;
      }
    }
    const page = this.#free.pop();
    if (page !== undefined) this.#readers[page] = 1;
    return page;
  }

  /** One more reads it. */
  share(page: number): void {
    this.#readers[page]!++;
  }

  /** One fewer. */
  release(page: number): void {
    if (--this.#readers[page]! === 0 && !this.#nodes.has(page)) this.#free.push(page);
  }

  /**
   * Lets others find the page of tokens[start..], behind those of `path`.
   * @returns the node to go on from, which may be another's page with the same contents
   */
  publish(path: readonly Node[], tokens: readonly number[], page: number, origin: Origin): Node {
    const { node, replaced } = this.tree.add(path, tokens, page, origin);
    if (replaced) this.#forgetPage(replaced);
    if (node.page === page) this.#nodes.set(page, node);
    return node;
  }

  /** A page with the first `length` positions of the last of these nodes, none of which gives way for it; undefined without one. */
  copyOfLast(nodes: readonly Node[], length: number): number | undefined {
    const copy = this.#acquireBeside(nodes);
    if (copy === undefined) return undefined;
    const { page } = nodes.at(-1)!;
    this.core.check(this.core.exports.copyPage(page, copy, length));
    this.#copied?.(page, copy, length);
    return copy;
  }

  /** Lets go of the KV of `tokens`, except for what is the beginning of others. */
  forget(tokens: readonly number[], origin: Origin): void {
    const { nodes, length } = this.tree.find(tokens, origin);
    let end = nodes.reduce((sum, node) => sum + node.tokens.length, 0);
    for (const node of nodes.toReversed()) {
      if (node.children.size > 0 || end > length || this.#readers[node.page]! > 0) break;
      this.#drop(node);
      end -= node.tokens.length;
    }
  }

  /** Forgets all that no sequence reads. */
  clear(): void {
    for (const node of this.tree) if (this.#readers[node.page] === 0 && node.children.size === 0) this.#drop(node);
  }

  /** A copy of as much of `tokens` as there is; nothing where pages lie elsewhere. */
  copy(tokens: readonly number[], origin: Origin): KvBytes {
    if (this.#copied) return { length: 0, bytes: new Uint8Array() };
    const found = this.tree.find(tokens, origin);
    const rest = found.length % PAGE_TOKENS;
    const whole = (found.length - rest) / PAGE_TOKENS;
    const last = rest > 0 ? this.copyOfLast(found.nodes, rest) : undefined;
    const pages = [...found.nodes.slice(0, whole).map((node) => node.page), ...(last === undefined ? [] : [last])];
    const bytes = new Uint8Array(pages.length * this.pageBytes);
    pages.forEach((page, i) => {
      this.#read(page, bytes.subarray(i * this.pageBytes));
    });
    if (last !== undefined) this.release(last);
    return { length: whole * PAGE_TOKENS + (last === undefined ? 0 : rest), bytes };
  }

  /** Takes in what copy() gave, or what somebody says that it did, as far as there is room. */
  restore(tokens: readonly number[], { length, bytes }: KvBytes, origin: Origin): void {
    const path: Node[] = [];
    if (this.#copied) return;
    for (let start = 0; start < length; start += PAGE_TOKENS) {
      const page = this.#acquireBeside(path);
      if (page === undefined) return;
      this.#write(page, bytes.subarray((start / PAGE_TOKENS) * this.pageBytes));
      path.push(this.publish(path, tokens.slice(start, Math.min(start + PAGE_TOKENS, length)), page, origin));
      this.release(page);
    }
  }

  /** How many full pages there are of the beginning of `tokens`; they count as used. */
  fullPages(tokens: readonly number[], origin: Origin): number {
    return Math.floor(this.tree.find(tokens, origin).length / PAGE_TOKENS);
  }

  /** Copies full page `index` of `tokens`, if it is there. */
  readPage(tokens: readonly number[], index: number, origin: Origin, target: Uint8Array): boolean {
    const { nodes, length } = this.tree.find(tokens, origin);
    if (length < (index + 1) * PAGE_TOKENS) return false;
    this.#read(nodes[index]!.page, target);
    return true;
  }

  /**
   * Takes in full page `index` of `tokens`, whose bytes are known to be right.
   * @returns whether those before it are there, and there is room
   */
  addPage(tokens: readonly number[], index: number, origin: Origin, bytes: Uint8Array): boolean {
    const { nodes, length } = this.tree.find(tokens, origin);
    const [start, end] = [index * PAGE_TOKENS, (index + 1) * PAGE_TOKENS];
    if (length < start) return false;
    if (length >= end) return true;
    const path = nodes.slice(0, index);
    const page = this.#acquireBeside(path);
    if (page === undefined) return false;
    this.#write(page, bytes);
    this.publish(path, tokens.slice(start, end), page, origin);
    this.release(page);
    return true;
  }

  /** Bytes of KvBytes of this length. */
  bytesFor(length: number): number {
    return Math.ceil(length / PAGE_TOKENS) * this.pageBytes;
  }

  /**
   * Whether the books are in order: every page is free, in the tree, or somebody's, and read by as many as have it in their tables.
   * @param open sequences that are
   * @throws Error naming the page
   */
  audit(open: Iterable<HasPages>): void {
    const readers = new Uint16Array(this.pages);
    for (const sequence of open) for (const page of sequence.table) readers[page]!++;
    const kept = new Set<number>();
    for (const node of this.tree) {
      if (kept.has(node.page)) throw new Error(`page ${node.page} is in the tree twice`);
      if (this.#nodes.get(node.page) !== node) throw new Error(`page ${node.page} is in the tree and not known to be`);
      kept.add(node.page);
    }
    if (kept.size !== this.#nodes.size)
      throw new Error(`${this.#nodes.size} pages are said to be in the tree of ${kept.size}`);
    const free = new Set(this.#free);
    if (free.size !== this.#free.length) throw new Error("a page is free twice");
    for (let page = 0; page < this.pages; page++) {
      const [count, expected] = [this.#readers[page]!, readers[page]!];
      if (count !== expected) throw new Error(`page ${page} has ${expected} readers, said to be ${count}`);
      const used = expected > 0 || kept.has(page);
      if (used === free.has(page)) throw new Error(`page ${page} is ${used ? "used and free" : "lost"}`);
    }
  }

  #drop(node: Node): void {
    this.tree.remove(node);
    this.#forgetPage(node);
  }
  #forgetPage({ page }: Node): void {
    this.#nodes.delete(page);
    if (this.#readers[page] === 0) this.#free.push(page);
  }

  /** As acquire(), but none of these nodes gives way. */
  #acquireBeside(nodes: readonly Node[]): number | undefined {
    for (const { page } of nodes) this.share(page);
    const acquired = this.acquire();
    for (const { page } of nodes) this.release(page);
    return acquired;
  }

  #read(page: number, target: Uint8Array): void {
    this.#eachPart(page, (part, at) => target.set(part, at));
  }
  #write(page: number, bytes: Uint8Array): void {
    this.#eachPart(page, (part, at) => part.set(bytes.subarray(at, at + part.length)));
  }

  /** The parts of a page, and where they come in its bytes. */
  #eachPart(page: number, visit: (part: Uint8Array, at: number) => void): void {
    const { exports } = this.core;
    const parts = exports.info(INFO_PAGE_PARTS);
    let at = 0;
    for (let part = 0; part < parts; part++) {
      const size = exports.pagePartBytes(part);
      visit(this.core.bytes(exports.pagePart(page, part), size), at);
      at += size;
    }
  }
}
