// Options of the parts of a model.

import type { LoadOptions } from "../api/api.js";
import { invalidOption } from "../api/errors.js";
import { checkLoadOptions } from "../api/options.js";

const REFUSED = ["adapters", "quantize", "promptCache"] as const;
type Refused = (typeof REFUSED)[number];

/** Options of every part. */
export interface PartOptions {
  /** SHA-256 of the model's file, where the source has only what the part needs of it (partSource()). Default: that of the source. */
  sha256?: string | undefined;
}

/** Options of loadShard(): `contextLength`, `kvType` and `sequences` must be those of the edge, or more. */
export interface ShardOptions extends Omit<LoadOptions, Refused>, PartOptions {
  /** Layers `first`..`end` - 1 of the model. */
  layers: readonly [first: number, end: number];
}

/** Options of loadSharded(). */
export interface ShardedOptions extends Omit<LoadOptions, Refused | "cacheBudget">, PartOptions {
  /** Milliseconds after which a shard that does not answer is taken for lost. Default: 60000. */
  timeoutMs?: number | undefined;
  /** Milliseconds for which a lost shard is waited for, and at the start for all. Default: 30000. */
  patienceMs?: number | undefined;
}

/** @throws ZagreusError INVALID_OPTION */
export function checkPartOptions(options: object): LoadOptions {
  for (const name of REFUSED) {
    const value = (options as LoadOptions)[name];
    if (value !== undefined) throw invalidOption(name, value, "left out: a model in shards has none");
  }
  return checkLoadOptions(options) as LoadOptions;
}

/** @throws ZagreusError INVALID_OPTION */
export function checkLayers(layers: unknown): readonly [number, number] {
  const [first, end, ...more] = Array.isArray(layers) ? layers : [];
  const fits = Number.isInteger(first) && Number.isInteger(end) && first >= 0 && end > first && more.length === 0;
  if (!fits) throw invalidOption("layers", layers, "[first, end], as [0, 16] for the first sixteen");
  return [first, end];
}
