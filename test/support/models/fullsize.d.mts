export type FullsizeType = "q4_0" | "q8_0";

/** Writes the file and returns its size in bytes. */
export function writeFullsize(options: {
  type: FullsizeType;
  out: string;
  seed?: number;
  context?: number;
  layers?: number;
  onProgress?: (done: number, total: number) => void;
}): number;

/** Path of such a file under test/.cache/, written on first use. */
export function cachedFullsize(type: FullsizeType, options?: { seed?: number; context?: number }): string;

export const HIDDEN: number;
export const INTERMEDIATE: number;
export const LAYERS: number;
export const HEADS: number;
export const KV_HEADS: number;
export const HEAD_SIZE: number;
export const VOCABULARY: number;
export const BOS: number;
export const EOS: number;

/** 32 random bits a call. */
export function xoshiro(seed: number): () => number;

/** 65,536 quantiles of the normal distribution. */
export function normalQuantiles(): Float64Array;
