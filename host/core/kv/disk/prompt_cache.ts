// What prompts begin with, over restarts: full pages go to the disk when a prompt has been run, and come back into the tree (page_tree.ts)
// when a prompt wants them that it does not have. From there on they are as if they had been run here. Texts that run meanwhile wait for
// some milliseconds at most: the disk is waited for asynchronously, and a few pages are on their way at a time.

import type { ModelStats } from "../../api/api.js";
import type { KvCache } from "../kv_cache.js";
import { type Origin, PAGE_TOKENS } from "../page_tree.js";
import { fileBytes, namespaceOf, pageNames, readPageFile, writePageFile } from "./page_format.js";
import type { PageStore } from "./page_store.js";

/** Bytes that are on their way at a time, and pages at most. */
const WINDOW_BYTES = 4 << 20;
const WINDOW_PAGES = 8;
/** Milliseconds that a disk always gets; beyond it as long as running the tokens would take. */
const PATIENCE_MS = 1000;
/** Prompts that wait to be written at most; the oldest are left out. */
const MAX_WAITING = 64;

/** A prompt's full pages. */
interface Prefix {
  tokens: readonly number[];
  origin: Origin;
  namespace: string;
  names: readonly string[];
}

/** Tokens that came from the disk for a prompt. */
export interface Restored {
  from: number;
  to: number;
  /** If it was looked for. */
  prefix: Prefix | undefined;
}

export class PromptCache {
  readonly #cache: KvCache;
  readonly #store: PageStore;
  readonly #facts: Readonly<Record<string, string | number>>;
  readonly #contextLength: number;
  readonly #waiting: Prefix[] = [];
  /** The load that others wait for. */
  #loading: Promise<unknown> = Promise.resolve();
  #writing = false;
  #closed = false;
  #restoredTokens = 0;
  #storedTokens = 0;
  #rejectedPages = 0;

  /**
   * @param facts what keys and values depend on beside tokens and adapters
   * @param contextLength longer prompts are going to be refused
   */
  constructor(
    cache: KvCache,
    store: PageStore,
    facts: Readonly<Record<string, string | number>>,
    contextLength: number,
  ) {
    this.#cache = cache;
    this.#store = store;
    this.#facts = facts;
    this.#contextLength = contextLength;
  }

  get figures(): NonNullable<ModelStats["promptCache"]> {
    const { bytes, writes } = this.#store;
    const [restoredTokens, storedTokens, rejectedPages] = [
      this.#restoredTokens,
      this.#storedTokens,
      this.#rejectedPages,
    ];
    return { restoredTokens, storedTokens, rejectedPages, bytes, writes };
  }

  /** Nothing is read or written from now on; what is on its way comes to nothing. */
  close(): void {
    this.#closed = true;
    this.#waiting.length = 0;
  }

  /**
   * Brings back the pages of a prompt that are on the disk and not in the tree, as far as there is room. Gives up when running the tokens would
   * be faster, or when the signal fires.
   * @param tokenMs milliseconds that running a token takes
   */
  async fetch(
    tokens: readonly number[],
    origin: Origin,
    tokenMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Restored> {
    const restored: Restored = { from: 0, to: 0, prefix: undefined };
    if (tokens.length > this.#contextLength) return restored;
    const first = this.#cache.fullPages(tokens, origin);
    const missing = Math.floor(tokens.length / PAGE_TOKENS) - first;
    const prefix = missing > 0 ? this.#prefixOf(tokens, origin) : undefined;
    if (!prefix) return restored;
    Object.assign(restored, { from: first * PAGE_TOKENS, to: first * PAGE_TOKENS, prefix });
    const state = { over: false };
    const load = async () => {
      if (!(await this.#has(prefix, first))) return; // before others are waited for
      const before = this.#loading;
      this.#loading = given; // whoever comes next waits for this one, as long as this one is waited for
      await before;
      await this.#load(prefix, restored, state);
    };
    const given = within(Promise.resolve().then(load), Math.max(PATIENCE_MS, tokenMs * missing * PAGE_TOKENS), signal);
    await given;
    state.over = true;
    return restored;
  }

  /** A prompt has been run, but for its first `reused` tokens: its full pages are written, if they are not on the disk. */
  keep(tokens: readonly number[], origin: Origin, { from, to, prefix: known }: Restored, reused: number): void {
    this.#restoredTokens += Math.max(0, Math.min(reused, to) - from);
    const prefix = known ?? this.#prefixOf(tokens, origin);
    if (!prefix || this.#closed || !this.#store.writes) return;
    if (this.#waiting.length >= MAX_WAITING) this.#waiting.shift();
    this.#waiting.push(prefix);
    if (!this.#writing) void this.#drain();
  }

  /** Undefined for what has no full page, or is not to be believed. */
  #prefixOf(all: readonly number[], origin: Origin): Prefix | undefined {
    const length = all.length - (all.length % PAGE_TOKENS);
    if (origin.name === undefined || length === 0) return undefined;
    const namespace = namespaceOf({ ...this.#facts, use: origin.name });
    const tokens = all.slice(0, length);
    return { tokens, origin, namespace, names: pageNames(namespace, tokens) };
  }

  #has({ names }: Prefix, index: number): Promise<boolean> {
    return this.#store.has(names[index]!, this.#fileBytes(index), Date.now() - index);
  }

  async #load(prefix: Prefix, restored: Restored, state: { over: boolean }): Promise<void> {
    const { tokens, origin, names } = prefix;
    const ahead: Promise<Uint8Array | undefined>[] = [];
    let index = this.#cache.fullPages(tokens, origin); // others may have wanted the same
    let next = index;
    const most = this.#atOnce(names.length);
    while (index < names.length) {
      while (ahead.length < most && next < names.length) ahead.push(this.#read(prefix, next++));
      const page = await ahead.shift();
      if (!page || state.over || this.#closed) return;
      if (!this.#cache.addPage(tokens, index, origin, page)) return;
      restored.to = ++index * PAGE_TOKENS;
    }
  }

  /** A page that is right; what is not is removed. */
  async #read({ namespace, tokens, names }: Prefix, index: number): Promise<Uint8Array | undefined> {
    const name = names[index]!;
    const bytes = await this.#store.get(name, this.#fileBytes(index) + 1); // one more tells that it is too long
    if (!bytes || this.#closed) return undefined;
    const { core, pageBytes } = this.#cache;
    const page = readPageFile(core, namespace, tokens, index, pageBytes, bytes);
    if (page) return page;
    this.#rejectedPages++;
    await this.#store.discard(name);
    return undefined;
  }

  async #drain(): Promise<void> {
    this.#writing = true;
    try {
      for (let prefix = this.#waiting.shift(); prefix; prefix = this.#waiting.shift()) await this.#write(prefix);
    } finally {
      this.#writing = false;
    }
  }

  async #write(prefix: Prefix): Promise<void> {
    const { names } = prefix;
    await this.#store.look();
    const here = await Promise.all(names.map((_, index) => this.#has(prefix, index)));
    const beside = new Set(names);
    const missing = here.flatMap((found, index) => (found ? [] : [index]));
    const queue = [...missing];
    const writer = async () => {
      for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
        if (!(await this.#put(prefix, index, beside))) queue.length = 0;
      }
    };
    await Promise.all(Array.from({ length: this.#atOnce(names.length) }, writer));
    // Ends go before beginnings, here and in the next process.
    this.#store.use(names);
    await Promise.all(missing.map((index) => this.#has(prefix, index)));
  }

  /** @returns whether it makes sense to go on with the next page */
  async #put(prefix: Prefix, index: number, beside: ReadonlySet<string>): Promise<boolean> {
    if (this.#closed) return false;
    const { namespace, tokens, origin, names } = prefix;
    const { core, pageBytes } = this.#cache;
    const fill = (page: Uint8Array) => this.#cache.readPage(tokens, index, origin, page);
    const bytes = writePageFile(core, namespace, tokens, index, pageBytes, fill);
    if (!bytes || !(await this.#store.put(names[index]!, bytes, beside))) return false;
    this.#storedTokens += PAGE_TOKENS;
    return true;
  }

  #fileBytes(index: number): number {
    return fileBytes(index, this.#cache.pageBytes);
  }

  /** Pages on their way at a time. */
  #atOnce(pages: number): number {
    return Math.max(1, Math.min(WINDOW_PAGES, Math.floor(WINDOW_BYTES / this.#fileBytes(pages - 1))));
  }
}

/** Ends when `work` does, after so many milliseconds, or when the signal fires. */
function within(work: Promise<unknown>, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end, { once: true });
    if (signal?.aborted) end();
    work.then(end, end);
  });
}
