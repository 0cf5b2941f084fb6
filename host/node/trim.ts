// A model with fewer tokens.

import { fileURLToPath } from "node:url";
import { checkObject, checkString } from "../../quant/checkpoint/arguments.js";
import type { Checkpoint } from "../../quant/checkpoint/checkpoint.js";
import { QUANTIZED, QUANTIZED_TYPES, type QuantizedType, tensorType, typeBytes } from "../../quant/checkpoint/types.js";
import type { QuantizeReport } from "../../quant/write/encode.js";
import { invalidOption } from "../core/api/errors.js";
import { type ConvertOptions, convertWith, type Place } from "./convert.js";
import { checkKeep, type KeepOptions, type KeepReport, keepTokens } from "./trim/keep.js";

/** Options of trim(). */
export interface TrimOptions extends KeepOptions {
  /** Element type of the embedding and the LM head. Default: what the file has; its rows are then copied as they are. */
  embedding?: QuantizedType | undefined;
  /** Whether an embedding may become `embedding` that was rounded before: it loses twice. Default: false. */
  requantize?: boolean | undefined;
  /** Ends the work with ABORTED. */
  signal?: AbortSignal | undefined;
  /** Called as the work goes on. */
  onProgress?: ((progress: TrimProgress) => void) | undefined;
  /** Told in a sentence what is lost. */
  onNotice?: ((message: string) => void) | undefined;
}

/** How far trim() is. */
export interface TrimProgress {
  /** "count": of the corpus; "write": of the new file. */
  phase: "count" | "write";
  doneBytes: number;
  totalBytes: number | undefined;
}

/** What trim() has written. */
export interface TrimReport extends KeepReport, QuantizeReport {
  /** Bytes of the embedding and, where it is another, the LM head. */
  embeddingBytes: { before: number; after: number };
}

/** As trim() of ./quantize.ts, which loads this when it is wanted. */
export async function trim(source: string | URL, out: string, options: TrimOptions): Promise<TrimReport> {
  const path = source instanceof URL && source.protocol === "file:" ? fileURLToPath(source) : source;
  if (typeof path !== "string") throw invalidOption("source", String(path), "a path or a file URL");
  checkString("out", out);
  checkObject("options", options);
  checkKeep(options);
  const { embedding, requantize, signal, onProgress, onNotice, ...keep } = options;
  if (embedding !== undefined && !QUANTIZED_TYPES.includes(embedding)) {
    throw invalidOption("embedding", embedding, `one of ${QUANTIZED_TYPES.join(", ")}`);
  }
  return convertKeeping(async () => ({ path }), out, {
    embedding,
    requantize,
    signal,
    onNotice,
    keep,
    onProgress: ({ doneBytes, totalBytes }) => onProgress?.({ phase: "write", doneBytes, totalBytes }),
    onCount: ({ doneBytes, totalBytes }) => onProgress?.({ phase: "count", doneBytes, totalBytes }),
  });
}

interface KeepingOptions extends ConvertOptions {
  keep: KeepOptions;
  onCount?: ((progress: { doneBytes: number; totalBytes: number }) => void) | undefined;
}

/** As quantize(), or without a type as trim(). */
export async function convertKeeping(
  locate: () => Promise<Place>,
  out: string,
  { onCount, keep, ...options }: KeepingOptions,
): Promise<TrimReport> {
  checkKeep(keep);
  const place = await locate();
  const { load } = await import("./index.js");
  let kept: Pick<TrimReport, "tokens" | "texts" | "embeddingBytes"> | undefined;
  const report = await convertWith(place, out, options, async (whole) => {
    const { signal } = options;
    const { checkpoint, report } = await keepTokens(whole, { ...keep, load, signal, onProgress: onCount });
    const embedding = options.embedding ?? smallerThanWhole(whole, checkpoint, options.type);
    const embeddingBytes = {
      before: bytesOfEmbedding(whole, options.type),
      after: bytesOfEmbedding(checkpoint, embedding ?? options.type),
    };
    kept = { ...report, embeddingBytes };
    return { checkpoint, embedding };
  });
  return { ...report, ...kept! };
}

const EMBEDDING = ["token_embd.weight", "output.weight"];

function bytesOfEmbedding({ tensors }: Checkpoint, type: QuantizedType | undefined): number {
  return tensors
    .filter(({ name }) => EMBEDDING.includes(name))
    .reduce((sum, tensor) => {
      const stored = type === undefined ? tensor.type : QUANTIZED[type].type;
      return sum + typeBytes(stored, tensor.rows * tensor.columns)!;
    }, 0);
}

/** Q8_0 for an embedding that is smaller in it than the whole one in `type`, and has not been rounded yet. */
function smallerThanWhole(
  whole: Checkpoint,
  trimmed: Checkpoint,
  type: QuantizedType | undefined,
): QuantizedType | undefined {
  const isRounded = whole.tensors.some(
    (tensor) => EMBEDDING.includes(tensor.name) && tensorType(tensor.type)?.isRounded,
  );
  if (type === undefined || isRounded) return type;
  return bytesOfEmbedding(trimmed, "q8_0") < bytesOfEmbedding(whole, type) ? "q8_0" : type;
}
