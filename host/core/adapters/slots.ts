// The adapters that a core has, in the slots of its plan, and which of them what runs next has.

import { IO_BYTES } from "../../../assembly/layout/abi.js";
import { FACTOR_A, FACTOR_B, MAX_ADAPTERS } from "../../../assembly/layout/adapters.js";
import { GROUP } from "../../../assembly/layout/blocks.js";
import { GROUP_BYTES_INT8, SCALE_BYTES_INT8, TILE_ROWS } from "../../../assembly/layout/tile.js";
import { invalidOption, ZagreusError } from "../api/errors.js";
import type { AdapterList } from "../api/options.js";
import type { Core } from "../wasm/core.js";
import { type Adapter, type Factors, SITES } from "./adapter.js";

interface Entry {
  slot: number;
  hash: string;
  /** Sequences that go through it. */
  users: number;
  /** Whether it is loaded, and not closed. */
  open: boolean;
}

/** The adapters of a sequence, while it has them. */
export interface Held {
  /** Has sequence `index` of the core go through these and no others. */
  apply(index: number): void;
  release(): void;
}

/** What is known of an adapter that is loaded. */
export interface AdapterFacts {
  /** Of this adapter alone, also when another one gets its slot. */
  id: string;
  name: string;
  rank: number;
  bytes: number;
  hash: string;
}

export class AdapterSlots {
  readonly #core: Core;
  readonly #slots: number;
  readonly #rank: number;
  /** All that have a slot, by id, in the order of loading. */
  readonly #entries = new Map<string, Entry>();
  /** Who waits for a slot. */
  readonly #waiting: (() => void)[] = [];
  #count = 0;

  /** @param room what the plan has reserved */
  constructor(core: Core, { slots, rank }: { slots: number; rank: number }) {
    this.#core = core;
    this.#slots = slots;
    this.#rank = rank;
  }

  /**
   * Loads an adapter, while others run.
   * @param file for messages
   * @param rest called between layers; throws when the work must not go on
   * @throws ZagreusError INVALID_OPTION where there is no room for it, NON_FINITE_WEIGHT for values beyond f16's range
   */
  async load(adapter: Adapter, file: string, rest: () => Promise<void>): Promise<AdapterFacts> {
    const { rank, hash, factors } = adapter;
    if (rank > this.#rank) throw noRoom("rank", rank, this.#rank, file);
    const id = `${hash}/${++this.#count}`;
    const entry = await this.#takeSlot(id, hash, file, rest);
    try {
      for (const pair of factors) {
        await rest();
        this.#send(entry.slot, pair);
      }
    } catch (error) {
      this.close(id);
      throw error;
    }
    entry.open = true;
    const bytes = factors.reduce((sum, { a, b, rank }) => sum + bytesOf(rank, a.length / rank, b.length / rank), 0);
    return { id, name: adapter.name ?? file, rank, bytes, hash };
  }

  /** Nothing may use it from now on; what runs goes on with it. */
  close(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.open = false;
    this.#giveBack(id, entry);
  }

  /** Keeps these for a sequence. @throws ZagreusError INVALID_OPTION for one that is not here */
  hold(list: AdapterList): Held {
    const found = this.#resolve(list);
    for (const { entry } of found) entry.users++;
    let held = true;
    return {
      apply: (index) => {
        const scales = this.#core.floats(this.#core.exports.adapterScales(index), MAX_ADAPTERS).fill(0);
        for (const { entry, scale } of found) scales[entry.slot] = scale;
      },
      release: () => {
        if (!held) return;
        held = false;
        for (const { id, entry } of found) {
          entry.users--;
          this.#giveBack(id, entry);
        }
      },
    };
  }

  /** Names what KV depends on, the same in every process: contents and scales. @throws as hold() */
  key(list: AdapterList): string {
    return this.#resolve(list)
      .map(({ entry, scale }) => `${entry.hash}*${scale}`)
      .join();
  }

  /** In the order of loading, without those that have no effect; what is there twice adds up. */
  #resolve(list: AdapterList): { id: string; entry: Entry; scale: number }[] {
    const scales = new Map<string, number>();
    for (const [i, { adapter, scale }] of (list ?? []).entries()) {
      if (!this.#entries.get(adapter.id)?.open) throw notHere(`adapters[${i}].adapter`, adapter.id);
      scales.set(adapter.id, (scales.get(adapter.id) ?? 0) + scale);
    }
    return [...this.#entries].flatMap(([id, entry]) => {
      const scale = Math.fround(scales.get(id) ?? 0);
      return scale === 0 ? [] : [{ id, entry, scale }];
    });
  }

  /** Opens a slot for an adapter; where there is none, waits for what is closed and still used. What is found free is taken at once. */
  async #takeSlot(id: string, hash: string, file: string, rest: () => Promise<void>): Promise<Entry> {
    for (;;) {
      const entries = [...this.#entries.values()];
      const all = Array.from({ length: this.#slots }, (_, slot) => slot);
      const slot = all.find((index) => entries.every(({ slot }) => slot !== index));
      if (slot !== undefined) {
        this.#core.check(this.#core.exports.openAdapter(slot));
        const entry = { slot, hash, users: 0, open: false };
        this.#entries.set(id, entry);
        return entry;
      }
      if (!entries.some(({ open, users }) => !open && users > 0)) {
        throw noRoom("slots", entries.length + 1, this.#slots, file);
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      await rest();
    }
  }

  /** Frees the slot of what is closed, when nothing uses it any more. */
  #giveBack(id: string, { slot, users, open }: Entry): void {
    if (open || users > 0 || !this.#entries.delete(id)) return;
    this.#core.check(this.#core.exports.closeAdapter(slot));
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #send(slot: number, { layer, site, rank, scale, a, b }: Factors): void {
    const index = SITES.indexOf(site);
    this.#core.check(this.#core.exports.adapterSite(slot, layer, index, rank, scale));
    const rows = (factor: number, values: Float32Array, width: number) => {
      const most = Math.floor(IO_BYTES / 4 / width) * width;
      for (let at = 0; at < values.length; at += most) {
        const some = values.subarray(at, at + most);
        this.#core.floats(this.#core.exports.buffer(), some.length).set(some);
        this.#core.check(this.#core.exports.adapterRows(slot, layer, index, factor, at / width, some.length / width));
      }
    };
    rows(FACTOR_A, a, a.length / rank);
    rows(FACTOR_B, b, rank);
  }
}

/** Bytes that the core keeps factors in: A as a matrix, B with a scale for each row. */
function bytesOf(rank: number, columns: number, rows: number): number {
  const groups = Math.ceil(rank / TILE_ROWS) * (columns / GROUP);
  return groups * (GROUP_BYTES_INT8 + SCALE_BYTES_INT8) + rows * (rank + (rank % 2) + 4);
}

function noRoom(field: string, value: number, limit: number, file: string): ZagreusError {
  const message = `${file} needs ${field} ${value}, the model was loaded with adapters: { ${field}: ${limit} }`;
  return new ZagreusError("INVALID_OPTION", message, { field: `adapters.${field}`, value, expected: limit });
}

function notHere(path: string, value: unknown): ZagreusError {
  return invalidOption(path, value, "an adapter of this model that is not closed");
}
