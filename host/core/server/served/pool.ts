// Models that share a limit of memory: loaded when a request wants one, closed when others need the room.
//
// One load at a time, in the order in which they were first wanted. What has to give way is the model that was used longest ago; if
// requests are at work on it, it takes no more of them, and is closed when they have ended. Those that come for it later wait for its next
// turn, so that every request ends, however many models are wanted.

import { aborted } from "../../api/errors.js";
import type { Release } from "../../engine/queue.js";
import { ApiError, shuttingDown } from "../http/errors.js";
import type { LazyModel, ServedModel } from "./options.js";

interface Waiter {
  enter(): void;
  refuse(error: unknown): void;
}

/** A model of the pool. */
export class Slot {
  readonly name: string;
  readonly source: LazyModel;
  model: ServedModel | undefined;
  /** Of the model. */
  bytes = 0;
  users = 0;
  /** When it was used last. */
  used = 0;
  /** Whether it is being loaded, or waits for that. */
  loading = false;
  loads = 0;
  /** Whether it must give way, and takes no new users. */
  draining = false;
  /** Called when there are no users any more. */
  idle = () => {};
  readonly waiters = new Set<Waiter>();

  constructor(name: string, source: LazyModel) {
    this.name = name;
    this.source = source;
  }

  /** Whether there is a model that works. */
  get ready(): boolean {
    return this.model !== undefined && !this.model.closed;
  }

  close(): void {
    this.model?.close();
    this.model = undefined;
    this.bytes = 0;
    this.draining = false;
  }
}

export class Pool {
  readonly #memory: number;
  readonly #slots = new Set<Slot>();
  /** Slots whose requests wait. */
  readonly #wanted: Slot[] = [];
  readonly #closing = new AbortController();
  #busy = false;
  #clock = 0;

  /** @param memory bytes of all models together */
  constructor(memory = Number.POSITIVE_INFINITY) {
    this.#memory = memory;
  }

  add(slot: Slot): void {
    this.#slots.add(slot);
  }

  /**
   * Resolves when the slot has a model, which it keeps until the caller releases it.
   * @throws ApiError 503 for a model that is larger than the limit, ZagreusError ABORTED, or whatever the loading fails with
   */
  enter(slot: Slot, signal: AbortSignal): Promise<Release> {
    if (signal.aborted) return Promise.reject(aborted(signal.reason));
    if (slot.ready && !slot.draining) return Promise.resolve(this.#take(slot));
    return new Promise((resolve, reject) => {
      const end = () => {
        slot.waiters.delete(waiter);
        signal.removeEventListener("abort", leave);
      };
      const leave = () => {
        end();
        reject(aborted(signal.reason));
      };
      const waiter = {
        enter: () => {
          end();
          resolve(this.#take(slot));
        },
        refuse: (error: unknown) => {
          end();
          reject(error);
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      slot.waiters.add(waiter);
      if (!this.#wanted.includes(slot)) this.#wanted.push(slot);
      void this.#work();
    });
  }

  /** Closes all models; what is being loaded is left. */
  close(): void {
    this.#closing.abort();
    for (const slot of this.#slots) slot.close();
  }

  #take(slot: Slot): Release {
    slot.users++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      slot.used = ++this.#clock;
      if (--slot.users === 0) slot.idle();
    };
  }

  /** Loads what is wanted, one after the other. */
  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let slot = this.#wanted[0]; slot; slot = this.#wanted[0]) {
      slot.loading = true;
      const failure = await this.#provide(slot).then(
        () => undefined,
        (error) => ({ error }),
      );
      slot.loading = false;
      this.#wanted.shift();
      for (const waiter of [...slot.waiters]) failure ? waiter.refuse(failure.error) : waiter.enter();
    }
    this.#busy = false;
  }

  async #provide(slot: Slot): Promise<void> {
    if (slot.waiters.size === 0 || (slot.ready && !slot.draining)) return;
    const { signal } = this.#closing;
    slot.close(); // what has failed
    const bytes = await slot.source.measure(signal);
    if (bytes > this.#memory) throw tooLarge(slot.name, bytes, this.#memory);
    await this.#makeRoom(bytes);
    const model = await slot.source.load(signal);
    if (signal.aborted) {
      model.close();
      throw shuttingDown();
    }
    Object.assign(slot, { model, bytes, loads: slot.loads + 1 });
  }

  async #makeRoom(bytes: number): Promise<void> {
    const taken = () => [...this.#slots].reduce((sum, slot) => sum + slot.bytes, 0);
    while (taken() + bytes > this.#memory) {
      const [victim] = [...this.#slots]
        .filter((slot) => slot.model)
        .sort((a, b) => Number(a.users > 0) - Number(b.users > 0) || a.used - b.used);
      victim!.draining = true;
      if (victim!.users > 0) {
        await new Promise<void>((resolve) => {
          victim!.idle = resolve;
        });
      }
      victim!.close();
    }
  }
}

function tooLarge(name: string, bytes: number, memory: number): ApiError {
  const [needs, limit] = [bytes, memory].map((value) => Math.ceil(value / 2 ** 20));
  const message = `model ${JSON.stringify(name)} needs ${needs} MiB, the server has ${limit} MiB for its models`;
  return new ApiError(503, message, { code: "model_too_large", headers: { "x-should-retry": "false" } });
}
