// Layers of a model in a core of their own, for whoever has the edge. It knows pages, no sequences: what it is asked says all that it needs.

import { LOGIT_ROWS, MAX_BATCH, RUN_BYTES } from "../../../assembly/layout/abi.js";
import { closed } from "../api/errors.js";
import { freeRows } from "../engine/batch/elsewhere.js";
import { type Macrotask, Pace } from "../engine/pace.js";
import { PAGE_TOKENS } from "../kv/page_tree.js";
import type { Core } from "../wasm/core.js";
import type { KernelChoice } from "../wasm/kernel_choice.js";
import type { ComputeThreads } from "../wasm/threads.js";
import { type ByteChannel, ByteReader, Lost } from "./wire/channel.js";
import { badFrame, ERROR, encodeFrame, HELLO, ROWS, RUN, readFrame } from "./wire/frames.js";
import {
  decodeRun,
  encodeError,
  encodeId,
  encodeJson,
  encodeRows,
  type Hello,
  maxFrameBytes,
  type RunRequest,
} from "./wire/messages.js";

/** Rows times layers that run without a look at the clock, which stands still on Cloudflare: there every look is a turn of the event loop. */
const STEP = 8;

export class Shard {
  /** What it tells the edge, and what its plan takes. */
  readonly info: Hello & { memory: number };
  readonly #core: Core;
  readonly #threads: ComputeThreads;
  readonly #kernels: KernelChoice;
  readonly #macrotask: Macrotask;
  /** Of the connection that is served. */
  #stop = new AbortController();
  #served: Promise<unknown> = Promise.resolve();
  #closed = false;
  #succeeded = false;

  constructor(
    core: Core,
    info: Hello & { memory: number },
    threads: ComputeThreads,
    kernels: KernelChoice,
    macrotask: Macrotask,
  ) {
    this.#core = core;
    this.info = info;
    this.#threads = threads;
    this.#kernels = kernels;
    this.#macrotask = macrotask;
  }

  /**
   * Answers an edge until the connection ends. Only one is served: whoever comes later has the shard, and the connection before ends.
   * @throws ZagreusError SHARD_FAILED for what is no frame, CLOSED, THREAD_FAILED
   */
  async serve(channel: ByteChannel): Promise<void> {
    this.#stop.abort();
    const stop = new AbortController();
    this.#stop = stop;
    const before = this.#served;
    const served = before.then(() => this.#serve(channel, stop.signal));
    this.#served = served.catch(() => {});
    return served;
  }

  /**
   * The same shard without connections; this one answers nothing more. Where a runtime ends what a connection belongs to, nobody hears of
   * it any more, and may not touch it either.
   */
  anew(): Shard {
    this.#succeeded = true;
    return new Shard(this.#core, this.info, this.#threads, this.#kernels, this.#macrotask);
  }

  /** Ends all connections, and lets go of the memory. */
  close(): void {
    this.#closed = true;
    this.#stop.abort();
    this.#threads.stop();
  }

  async #serve(channel: ByteChannel, signal: AbortSignal): Promise<void> {
    const reader = new ByteReader(channel);
    const writer = channel.writable.getWriter();
    const write = (bytes: Uint8Array) => {
      return writer.write(bytes).catch((cause) => {
        throw new Lost("the edge takes nothing more", { cause });
      });
    };
    const leave = () => reader.cancel();
    signal.addEventListener("abort", leave);
    const { memory, ...hello } = this.info;
    try {
      if (signal.aborted) return;
      await write(encodeFrame(HELLO, encodeJson(hello)));
      const most = maxFrameBytes(hello);
      for (;;) {
        const frame = await readFrame(reader, most);
        if (!frame || signal.aborted) return;
        if (frame.kind !== RUN) throw badFrame("kind", frame.kind, RUN);
        const request = decodeRun(frame.contents, hello.hidden);
        const rows = await this.#run(request, signal);
        if (signal.aborted) return;
        await write(rows);
      }
    } catch (error) {
      if (signal.aborted && !this.#closed) return;
      if (error instanceof Lost) return; // the edge has gone
      await writer.write(encodeFrame(ERROR, encodeError(error))).catch(() => {});
      throw error;
    } finally {
      signal.removeEventListener("abort", leave);
      // What was written last must not be lost because nobody reads.
      const done = () => reader.cancel();
      writer.close().then(done, done);
    }
  }

  /** All layers on these rows, which are its own. @returns a frame */
  async #run({ id, copies, runs, states, overflows }: RunRequest, signal: AbortSignal): Promise<Uint8Array> {
    const { exports } = this.#core;
    const pace = new Pace(this.#macrotask, () => this.#check(signal));
    pace.check();
    for (const copy of copies) this.#core.check(exports.copyPage(...copy));
    this.#enter(runs);
    const [width, rows] = [states.length, overflows.length];
    const views = () => ({
      states: this.#core.floats(exports.residual(), width),
      overflows: this.#core.floats(exports.overflows(), rows),
    });
    views().states.set(states);
    views().overflows.set(overflows);
    freeRows({ states, overflows });
    const layers = Math.max(1, Math.floor(STEP / rows));
    let spent = 0;
    for (let left = 1; left > 0; ) {
      const begun = performance.now();
      left = this.#core.counted(exports.forwardLayers(layers));
      spent += performance.now() - begun;
      if (left > 0) await pace.yield();
    }
    if (rows <= LOGIT_ROWS) this.#kernels.learn(rows, spent);
    return encodeFrame(ROWS, encodeId(id), ...encodeRows(views()));
  }

  #enter(runs: RunRequest["runs"]): void {
    const { contextLength, sequences } = this.info;
    const { exports } = this.#core;
    if (runs.length === 0 || runs.length > sequences) throw badFrame("runs", runs.length, `1 to ${sequences}`);
    const records = this.#core.words(exports.runs(), (runs.length * RUN_BYTES) / 4);
    runs.forEach(({ position, count, pages }, i) => {
      if (position + count > contextLength) throw badFrame("positions", position + count, `at most ${contextLength}`);
      if (count > MAX_BATCH || pages.length > Math.ceil(contextLength / PAGE_TOKENS))
        throw badFrame("pages", pages.length, `those of ${contextLength} positions`);
      this.#core.words(exports.pageTable(i), pages.length).set(pages);
      this.#core.check(exports.setLength(i, position));
      records.set([i, position, count], (i * RUN_BYTES) / 4);
    });
    this.#core.check(exports.beginForward(runs.length));
  }

  #check(signal: AbortSignal): void {
    if (this.#closed) throw closed("shard");
    this.#threads.check();
    if (signal.aborted || this.#succeeded) throw new Lost("another edge has come");
  }
}

/** Tells an edge why there is no shard, and ends the connection. */
export async function refuse({ readable, writable }: ByteChannel, error: unknown): Promise<void> {
  const writer = writable.getWriter();
  await writer.write(encodeFrame(ERROR, encodeError(error)));
  await writer.close();
  await readable.cancel();
}
