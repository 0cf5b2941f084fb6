// A GGUF file for a repository that has safetensors only: made when it is first wanted, and kept in the cache.

import { aborted, invalidOption, ZagreusError } from "../api/errors.js";
import { RepositoryCache } from "./cache.js";
import { type HubEntry, sha256Of } from "./listing.js";
import { type Lock, withLock } from "./lock.js";
import type { HubModel, HubOptions, HubProgress, QuantizeSettings } from "./model.js";
import type { HubPlatform } from "./platform.js";

/** Where a checkpoint is, and what it is called. */
export interface MadeFrom {
  folder: string;
  name: string;
}

/** What makes a file of a checkpoint; the runtime supplies it. */
export interface GgufMaker {
  /** Throws for one that cannot be taken, before its weights are here. */
  check(checkpoint: MadeFrom): Promise<void>;
  /** `out` appears when it is complete. */
  make(
    checkpoint: MadeFrom,
    out: string,
    options: Pick<Required<QuantizeSettings>, "type" | "calibrate"> & {
      signal: AbortSignal | undefined;
      onProgress: (progress: HubProgress) => void;
    },
  ): Promise<unknown>;
}

/** Bytes of the file for each of safetensors in BF16; those in F32 make half of it. */
const SIZE_RATIOS: Record<string, number> = { q4_0: 18 / 64, q8_0: 34 / 64 };
/** Beside the weights, for the vocabulary. */
const MARGIN = 32 << 20;
/** Bytes of safetensors a second on one slow core; docs/quantization.md has the measurements. */
const PACE = { plain: 100e6, calibrated: 140e3 };
const KEEP_ALIVE_MS = 20_000;

/**
 * The path of the file that is made of the repository's safetensors, which are downloaded for that and then removed, unless they were
 * there before or are to stay. A second call, and other processes, use the same file.
 * @throws ZagreusError HUB_NOT_FOUND without `maker`, INVALID_OPTION, DISK_FULL, those of HubModel.obtain(), and what is wrong with the
 * checkpoint
 */
export async function madeGguf(
  platform: HubPlatform,
  model: HubModel,
  maker: GgufMaker | undefined,
  options: HubOptions,
): Promise<string> {
  const making = await Making.prepare(platform, model, options);
  const found = await making.existing();
  if (found !== undefined) return found;
  if (!maker) throw model.notFound("has no GGUF file, only safetensors");
  const waiting = () => options.onNotice?.(`another process is making ${making.file}: waiting for it`);
  return withLock(platform.files, making.cache.locks, making.key, options.signal, waiting, async (lock) => {
    return (await making.existing()) ?? keepingAlive(lock, () => making.run(maker));
  });
}

/** One file to make. */
class Making {
  readonly cache: RepositoryCache;
  readonly file: string;
  readonly path: string;
  /** Also the lock's name: one file at a time is made of the same weights, which go when it is there. */
  readonly key: string;
  readonly #platform: HubPlatform;
  readonly #model: HubModel;
  readonly #options: HubOptions;
  readonly #settings: Required<QuantizeSettings>;
  /** Paths of files as good as the wanted one, the best first. */
  readonly #acceptable: string[];

  static async prepare(platform: HubPlatform, model: HubModel, options: HubOptions): Promise<Making> {
    return new Making(platform, model, options, await keyOf(model));
  }

  private constructor(platform: HubPlatform, model: HubModel, options: HubOptions, key: string) {
    const { type = "q4_0", calibrate, keepSource = false } = options.quantize ?? {};
    if (calibrate && type !== "q4_0") {
      throw invalidOption("quantize.calibrate", calibrate, "false unless the type is q4_0");
    }
    this.#platform = platform;
    this.#model = model;
    this.#options = options;
    this.#settings = { type, calibrate: calibrate ?? false, keepSource };
    this.cache = new RepositoryCache(platform, model.id.repository);
    this.file = nameOf(model, this.#settings);
    this.path = this.cache.made(key, this.file);
    this.key = key;
    const names = [this.file];
    if (calibrate === undefined) names.unshift(nameOf(model, { type, calibrate: true }));
    if (!calibrate && options.quantize?.type === undefined)
      names.push(nameOf(model, { type: "q8_0", calibrate: false }));
    this.#acceptable = names.map((name) => this.cache.made(key, name));
  }

  async existing(): Promise<string | undefined> {
    for (const path of this.#acceptable) if ((await this.#platform.files.size(path)) !== undefined) return path;
    return undefined;
  }

  /** Downloads, makes, and removes what was downloaded. */
  async run(maker: GgufMaker): Promise<string> {
    const { signal, onProgress } = this.#options;
    const { type, calibrate, keepSource } = this.#settings;
    const begun = performance.now();
    const missing = await this.#missing();
    if (missing.length > 0) this.#model.assertOnline();
    const checkpoint = { folder: this.#model.folder(), name: this.#model.name };
    await this.#model.obtainDescription();
    await maker.check(checkpoint);
    await this.#announce(missing);
    const ours = await this.#remember(missing);
    await this.#model.obtainCheckpoint();
    if (signal?.aborted) throw aborted(signal.reason);
    await this.#removeLeftovers();
    await maker.make(checkpoint, this.path, {
      type,
      calibrate,
      signal,
      onProgress: (progress) => onProgress?.(progress),
    });
    if (!keepSource) for (const path of ours) await this.cache.discard(this.#model.commit, this.#model.entry(path));
    await this.#platform.files.remove(this.#record);
    const bytes = (await this.#platform.files.size(this.path)) ?? 0;
    const seconds = Math.round((performance.now() - begun) / 1000);
    const removed = !keepSource && ours.length > 0 ? "; its safetensors are removed again" : "";
    this.#options.onNotice?.(`made ${this.file}, ${megabytes(bytes)}, in ${seconds} s${removed}`);
    return this.path;
  }

  /** Where it stands which weights are here for this file alone, in case this process does not get to its end. */
  get #record(): string {
    return `${this.path}.sources`;
  }

  /** Weights that are not in the cache. */
  async #missing(): Promise<HubEntry[]> {
    const missing: HubEntry[] = [];
    for (const entry of this.#model.weights()) {
      if (!(await this.cache.holds(this.#model.commit, entry))) missing.push(entry);
    }
    return missing;
  }

  async #remember(missing: readonly HubEntry[]): Promise<string[]> {
    const known = this.#model.weights().map(({ path }) => path);
    const before = ((await this.#platform.files.readText(this.#record)) ?? "").split("\n");
    const ours = [...new Set([...before, ...missing.map(({ path }) => path)])].filter((path) => known.includes(path));
    await this.#platform.files.writeText(this.#record, ours.join("\n"));
    return ours;
  }

  /** What a process that was killed here left: this one has the lock, so nobody is writing it. */
  async #removeLeftovers(): Promise<void> {
    const { files } = this.#platform;
    const folder = files.join(this.path, "..");
    for (const name of await files.list(folder)) {
      if (name.startsWith(`.${this.file}.`)) await files.remove(files.join(folder, name));
    }
  }

  /** Says what is going to happen. @throws ZagreusError DISK_FULL */
  async #announce(missing: readonly HubEntry[]): Promise<void> {
    const { type, calibrate } = this.#settings;
    const sum = (entries: readonly HubEntry[]) => entries.reduce((total, { bytes }) => total + bytes, 0);
    const source = sum(this.#model.weights());
    const result = source * SIZE_RATIOS[type]! + MARGIN;
    const seconds = source / (calibrate ? PACE.calibrated : PACE.plain);
    const { repository } = this.#model.id;
    const download = missing.length > 0 ? `downloading ${megabytes(sum(missing))}, then ` : "";
    const pace = `${calibrate ? "calibrating, which takes" : "quantizing takes"} about ${duration(seconds)}`;
    this.#options.onNotice?.(
      `${repository} has safetensors only: ${download}making ${this.file}, once (${pace}, the file about ${megabytes(source * SIZE_RATIOS[type]!)})`,
    );
    const free = await this.#platform.files.freeBytes(this.cache.folder);
    const needed = sum(missing) + result;
    if (free === undefined || free >= needed) return;
    const message =
      `the disk is too full: making ${this.file} needs ${megabytes(needed)}, ${megabytes(free)} are free in ` +
      `${this.cache.folder}; free some or set HF_HUB_CACHE to a folder on another disk`;
    throw new ZagreusError("DISK_FULL", message, { field: this.file, value: free, expected: Math.ceil(needed) });
  }
}

function nameOf(model: HubModel, { type, calibrate }: Pick<Required<QuantizeSettings>, "type" | "calibrate">): string {
  return `${model.name}-${type?.toUpperCase()}${calibrate ? "-calibrated" : ""}.gguf`;
}

/** Names the files that something is made of: another commit with the same ones has the same key. */
async function keyOf(model: HubModel): Promise<string> {
  const lines = model.checkpoint().map(({ oid, path }) => `${oid || model.commit}  ${path}\n`);
  return (await sha256Of(lines.sort().join(""))).slice(0, 16);
}

/** Runs work that has its own pace while the lock stays ours. */
async function keepingAlive<T>(lock: Lock, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => void lock.renew().catch(() => {}), KEEP_ALIVE_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** Millions of something, for people. */
export const millions = (count: number) => (count / 1e6).toFixed(count < 1e7 ? 1 : 0);
export const megabytes = (bytes: number) => `${millions(bytes)} MB`;

function duration(seconds: number): string {
  if (seconds < 100) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
