// The shards of a model, one behind the other, as the layers that its edge does not have.

import { closed, ZagreusError } from "../api/errors.js";
import { freeRows, type LayersElsewhere, type RemoteRows, type RemoteRun } from "../engine/batch/elsewhere.js";
import { type Connect, Connection } from "./connection.js";
import { Lost } from "./wire/channel.js";
import { type Copy, encodeRuns, type Hello } from "./wire/messages.js";

/** Rows of a prompt that travel together: a row costs 3 % more than in batches of 64, and other shards work meanwhile. */
const PROMPT_ROWS = 32;
/** Times in a row that shards may be lost without a pass in between. */
const MAX_LOSSES = 3;
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2000;

export interface PipelineOptions {
  /** Milliseconds after which a shard that does not answer is taken for lost. */
  timeoutMs: number;
  /** Milliseconds for which a lost shard is waited for. */
  patienceMs: number;
}

/** What shards must agree with. */
export type Facts = Omit<Hello, "part" | "first" | "end" | "pages">;

export class Pipeline implements LayersElsewhere {
  readonly depth: number;
  readonly rows = PROMPT_ROWS;
  readonly #connects: readonly Connect[];
  readonly #facts: Facts;
  readonly #options: PipelineOptions;
  #connections: Connection[] = [];
  /** Resolves when all are connected; undefined when they are. */
  #connecting: Promise<void> | undefined;
  #copies: Copy[] = [];
  #pages: number | undefined;
  #parts: string[] | undefined;
  #lastId = 0;
  #losses = 0;
  #closed = false;

  private constructor(connects: readonly Connect[], facts: Facts, options: PipelineOptions) {
    this.depth = connects.length + 1;
    this.#connects = connects;
    this.#facts = facts;
    this.#options = options;
  }

  /** @throws ZagreusError SHARD_FAILED */
  static async connect(connects: readonly Connect[], facts: Facts, options: PipelineOptions): Promise<Pipeline> {
    const pipeline = new Pipeline(connects, facts, options);
    await pipeline.#connect();
    return pipeline;
  }

  get pages(): number {
    return this.#pages!;
  }

  /** What the shards have said of themselves. */
  get shards(): readonly Hello[] {
    return this.#connections.map(({ hello }) => hello);
  }

  copy(...copy: Copy): void {
    this.#copies.push(copy);
  }

  async send(runs: readonly RemoteRun[], rows: RemoteRows): Promise<RemoteRows> {
    const id = ++this.#lastId;
    const words = encodeRuns(id, this.#copies.splice(0), runs);
    if (this.#connecting) await this.#connecting;
    const connections = [...this.#connections]; // what is under way must not reach those that come when these are lost
    if (connections.length === 0) throw new Lost("there is no connection");
    for (const connection of connections) {
      const sent = rows;
      const answer = connection.request(id, words, sent);
      freeRows(sent); // they are in a frame
      rows = await answer;
    }
    this.#losses = 0;
    return rows;
  }

  recover(error: unknown): void {
    if (this.#closed) throw closed("model");
    this.#disconnect(error);
    const again = error instanceof Lost && ++this.#losses <= MAX_LOSSES;
    if (!again) this.#losses = 0;
    this.#connecting ??= this.#connect();
    this.#connecting.catch(() => {}); // send() tells
    if (again) return;
    throw error instanceof Lost ? failed(error.message, error) : error;
  }

  close(): void {
    this.#closed = true;
    this.#disconnect(closed("model"));
  }

  #disconnect(error: unknown): void {
    for (const connection of this.#connections.splice(0)) connection.close(error);
    this.#copies = [];
  }

  /** Connects all anew, for as long as there is patience. */
  async #connect(): Promise<void> {
    const until = performance.now() + this.#options.patienceMs;
    try {
      for (let wait = FIRST_WAIT_MS; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
        const error = await this.#tryAll();
        if (error === undefined) return;
        if (this.#closed) throw closed("model");
        if (!(error instanceof Lost)) throw error;
        if (performance.now() + wait > until) throw failed(error.message, error);
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    } finally {
      this.#connecting = undefined;
    }
  }

  /** @returns what went wrong */
  async #tryAll(): Promise<unknown> {
    const opened = await Promise.allSettled(
      this.#connects.map((connect, i) => Connection.open(`shard ${i + 1}`, connect, this.#options.timeoutMs)),
    );
    const connections = opened.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const refused = opened.findIndex(({ status }) => status === "rejected");
    try {
      if (this.#closed) throw closed("model");
      if (refused >= 0) {
        const { reason } = opened[refused] as PromiseRejectedResult;
        throw reason instanceof Lost ? new Lost(`shard ${refused + 1}: ${reason.message}`, { cause: reason }) : reason;
      }
      this.#check(connections.map(({ hello }) => hello));
      this.#connections = connections;
      return undefined;
    } catch (error) {
      for (const connection of connections) connection.close(error);
      return error;
    }
  }

  /** Whether shards are parts of this model, in their order, and those that were there before. @throws ZagreusError SHARD_FAILED */
  #check(hellos: readonly Hello[]): void {
    const { layers, contextLength, sequences, ...same } = this.#facts;
    let next = 0;
    for (const [i, hello] of hellos.entries()) {
      const must = { ...same, layers, first: next };
      for (const [field, expected] of Object.entries(must)) {
        const value = hello[field as keyof Hello];
        if (value !== expected) throw mismatch(i, field, value, expected);
      }
      for (const [field, least] of Object.entries({ contextLength, sequences, end: next + 1 })) {
        const value = hello[field as keyof Hello] as number;
        if (value < least) throw mismatch(i, field, value, `at least ${least}`);
      }
      next = hello.end;
    }
    if (next !== layers) throw mismatch(hellos.length - 1, "end", next, layers);
    const parts = hellos.map(({ part }) => part);
    const changed = this.#parts?.findIndex((part, i) => part !== parts[i]) ?? -1;
    if (changed >= 0) throw mismatch(changed, "part", parts[changed], this.#parts![changed]);
    const pages = Math.min(...hellos.map(({ pages }) => pages));
    if (pages < (this.#pages ?? 0)) throw mismatch(0, "pages", pages, this.#pages);
    this.#parts = parts;
    this.#pages ??= pages;
  }
}

function failed(message: string, cause: unknown): ZagreusError {
  return new ZagreusError("SHARD_FAILED", `the model's shards cannot be reached: ${message}`, { cause });
}

function mismatch(shard: number, field: string, value: unknown, expected: unknown): ZagreusError {
  const message = `shard ${shard + 1} is none of this model here: its ${field} is ${value}, must be ${expected}`;
  return new ZagreusError("SHARD_FAILED", message, { field, value, expected });
}
