// Pages as files of a folder that has a limit: the least recently used go first, whoever wrote them. Whatever fails, a page is not there,
// which costs the time to run it again. When nothing can be written, that ends with one line; reading goes on.

import { isFull, type PageFiles } from "./page_files.js";

/** Milliseconds after which the disk is told again that a page is used; until then only this process knows. */
const TOUCH_MS = 600_000;
/** Of the limit, what is written between two looks at what other processes do with the folder. */
const LOOK = 1 / 8;
/** Of what is there, what goes when the disk is full. */
const SHED = 1 / 16;

interface Entry {
  bytes: number;
  /** When it was used last. */
  used: number;
  /** When the disk was told of that last. */
  touched: number;
}

export class PageStore {
  readonly #files: PageFiles;
  readonly #limit: number;
  readonly #report: (line: string) => void;
  /** Those that are known, least recently used first. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  /** Of files that are being written. */
  #coming = 0;
  /** Written since the folder was looked at; until that is done for the first time, too much. */
  #unseen = Number.POSITIVE_INFINITY;
  #looking: Promise<void> | undefined;
  /** Room is made for one after the other: what begins comes first. */
  #reserving: Promise<unknown> = Promise.resolve();
  #writes = true;

  /**
   * @param limit bytes of all files
   * @param report told once, when nothing is written any more
   */
  constructor(files: PageFiles, limit: number, report: (line: string) => void) {
    this.#files = files;
    this.#limit = limit;
    this.#report = report;
  }

  /** Of all files, as far as is known. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether it still writes. */
  get writes(): boolean {
    return this.#writes;
  }

  /** A file's bytes, `most` of them or fewer. */
  get(name: string, most: number): Promise<Uint8Array | undefined> {
    return this.#files.read(name, most).catch(() => undefined);
  }

  /** Finds out what is there, if much may have changed. */
  async look(): Promise<void> {
    if (this.#unseen < this.#limit * LOOK) return;
    this.#looking ??= this.#list().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
  }

  /** Whether there is a file of so many bytes, as far as this process knows, or else the disk, which then knows that it is used. */
  async has(name: string, bytes: number, used: number): Promise<boolean> {
    const touched = this.#entries.get(name)?.touched ?? 0;
    if (used - touched < TOUCH_MS) return true;
    const found = await this.#files.touch(name, used).catch(() => false);
    if (found) this.#enter(name, bytes, used, used);
    else this.#forget(name);
    return found;
  }

  /** These have just been used, the first one last. */
  use(names: readonly string[]): void {
    const used = Date.now();
    for (const name of names.toReversed()) {
      const entry = this.#entries.get(name);
      if (entry) this.#enter(name, entry.bytes, used, entry.touched);
    }
  }

  /**
   * Makes a file. @param beside files that do not give way for it
   * @returns whether it is there
   */
  async put(name: string, bytes: Uint8Array, beside: ReadonlySet<string>): Promise<boolean> {
    await this.look();
    const room = this.#reserving.then(() => this.#writes && this.#reserve(bytes.length, beside));
    this.#reserving = room;
    if (!(await room)) return false;
    try {
      await this.#write(name, bytes, beside);
    } catch (error) {
      this.#stop(error);
      return false;
    } finally {
      this.#coming -= bytes.length;
    }
    this.#enter(name, bytes.length, Date.now(), 0);
    this.#unseen += bytes.length;
    return true;
  }

  /** Removes what is no good. */
  async discard(name: string): Promise<void> {
    this.#forget(name);
    await this.#files.remove(name).catch(() => {});
  }

  /** Writes once more when there was no room and others could give way. */
  async #write(name: string, bytes: Uint8Array, beside: ReadonlySet<string>): Promise<void> {
    try {
      await this.#files.write(name, bytes);
    } catch (error) {
      if (!isFull(error)) throw error;
      const room = Math.max(2 * bytes.length, this.#bytes * SHED);
      this.#unseen = Number.POSITIVE_INFINITY;
      await this.look();
      if (!(await this.#shrink(this.#bytes - room, beside))) throw error;
      await this.#files.write(name, bytes);
    }
  }

  /** @returns whether there is room for a file of so many bytes, which then counts as coming */
  async #reserve(bytes: number, beside: ReadonlySet<string>): Promise<boolean> {
    const most = () => this.#limit - this.#coming - bytes;
    if (most() < 0) return false;
    await this.#shrink(most(), beside);
    if (this.#bytes > most()) return false;
    this.#coming += bytes;
    return true;
  }

  /** Removes files until there are `most` bytes. @returns whether one has gone */
  async #shrink(most: number, beside: ReadonlySet<string>): Promise<boolean> {
    let some = false;
    for (const name of this.#entries.keys()) {
      if (this.#bytes <= most) break;
      if (beside.has(name)) continue;
      await this.discard(name);
      some = true;
    }
    return some;
  }

  async #list(): Promise<void> {
    const before = new Map(this.#entries);
    const found = await this.#files.list().catch(() => []);
    const added = [...this.#entries].filter(([name]) => !before.has(name)); // while the list was made
    this.#entries.clear();
    this.#bytes = 0;
    this.#unseen = 0;
    const place = new Map([...before.keys()].map((name, i) => [name, i]));
    const known = found.map(({ name, bytes, used }) => {
      const { used: own = 0, touched = used } = before.get(name) ?? {};
      return { name, bytes, used: Math.max(own, used), touched, place: place.get(name) ?? 0 };
    });
    known.sort((a, b) => a.used - b.used || a.place - b.place);
    for (const { name, bytes, used, touched } of known) this.#enter(name, bytes, used, touched);
    for (const [name, { bytes, used, touched }] of added) this.#enter(name, bytes, used, touched);
  }

  /** As the one that was used last. */
  #enter(name: string, bytes: number, used: number, touched: number): void {
    this.#forget(name);
    this.#entries.set(name, { bytes, used, touched });
    this.#bytes += bytes;
  }

  #forget(name: string): void {
    this.#bytes -= this.#entries.get(name)?.bytes ?? 0;
    this.#entries.delete(name);
  }

  #stop(error: unknown): void {
    if (!this.#writes) return;
    this.#writes = false;
    const reason = error instanceof Error ? error.message : String(error);
    this.#report(`prompts are not written to the disk any more: ${reason}`);
  }
}
