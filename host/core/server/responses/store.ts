// Responses that can be gone on with. They are kept in memory, within limits of each owner and of all, and are found by nobody else.

/** What an owner has at most. */
const MAX_ENTRIES = 1000;
const MAX_BYTES = 16 * 2 ** 20;
/** What all have at most. */
const MAX_TOTAL = 64 * 2 ** 20;
/** Milliseconds after its last use. */
const MAX_AGE = 24 * 60 * 60 * 1000;

/** What is kept of a response. */
export interface Kept {
  response: { id: string; output: readonly { id: string }[]; previous_response_id: string | null };
  /** What it answers, without what comes from the response before. */
  input: readonly object[];
}

interface Entry {
  json: string;
  bytes: number;
  /** When it was last used. */
  used: number;
  /** Of its output. */
  items: readonly string[];
}

/** Entries by their ids, the one used last comes last; and which of them has an item. */
interface Shelf {
  entries: Map<string, Entry>;
  items: Map<string, string>;
  bytes: number;
}

export class ResponseStore {
  readonly #shelves = new Map<string, Shelf>();
  readonly #now: () => number;
  #bytes = 0;

  /** @param now milliseconds */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** Bytes of all that is kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps it, unless it is more than an owner may have; what was used longest ago gives way. */
  put(owner: string, kept: Kept): void {
    const json = JSON.stringify(kept);
    const bytes = 2 * json.length;
    if (bytes > MAX_BYTES) return;
    this.#expire();
    const shelf = this.#shelves.get(owner) ?? { entries: new Map(), items: new Map(), bytes: 0 };
    this.#shelves.set(owner, shelf);
    const { id, output } = kept.response;
    const items = output.map((item) => item.id);
    shelf.entries.set(id, { json, bytes, used: this.#now(), items });
    for (const item of items) shelf.items.set(item, id);
    this.#count(shelf, bytes);
    while (shelf.bytes > MAX_BYTES || shelf.entries.size > MAX_ENTRIES) this.#dropOldest(owner, shelf);
    while (this.#bytes > MAX_TOTAL) this.#dropOldest(...this.#largest());
  }

  /** Bytes of a response, 0 where there is none. */
  bytesOf(owner: string, id: string): number {
    return this.#shelves.get(owner)?.entries.get(id)?.bytes ?? 0;
  }

  get(owner: string, id: string): Kept | undefined {
    this.#expire();
    const entries = this.#shelves.get(owner)?.entries;
    const entry = entries?.get(id);
    if (!entries || !entry) return undefined;
    entry.used = this.#now();
    entries.delete(id);
    entries.set(id, entry);
    return JSON.parse(entry.json);
  }

  /** An item of a response's output. */
  item(owner: string, id: string): object | undefined {
    const response = this.#shelves.get(owner)?.items.get(id);
    return response === undefined
      ? undefined
      : this.get(owner, response)?.response.output.find((item) => item.id === id);
  }

  /** Returns whether there was one. */
  delete(owner: string, id: string): boolean {
    this.#expire();
    const shelf = this.#shelves.get(owner);
    if (!shelf?.entries.has(id)) return false;
    this.#drop(owner, shelf, id);
    return true;
  }

  #expire(): void {
    const oldest = this.#now() - MAX_AGE;
    for (const [owner, shelf] of this.#shelves) {
      for (const [id, { used }] of shelf.entries) {
        if (used >= oldest) break;
        this.#drop(owner, shelf, id);
      }
    }
  }

  #largest(): [owner: string, shelf: Shelf] {
    return [...this.#shelves].reduce((largest, one) => (one[1].bytes > largest[1].bytes ? one : largest));
  }

  #dropOldest(owner: string, shelf: Shelf): void {
    const [oldest] = shelf.entries.keys();
    this.#drop(owner, shelf, oldest!);
  }

  #drop(owner: string, shelf: Shelf, id: string): void {
    const { items, bytes } = shelf.entries.get(id)!;
    shelf.entries.delete(id);
    for (const item of items) shelf.items.delete(item);
    this.#count(shelf, -bytes);
    if (shelf.entries.size === 0) this.#shelves.delete(owner);
  }

  #count(shelf: Shelf, bytes: number): void {
    shelf.bytes += bytes;
    this.#bytes += bytes;
  }
}
