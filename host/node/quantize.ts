// zagreus-edge/quantize for Node.

import { checkObject, checkString } from "../../quant/checkpoint/arguments.js";
import type { Checkpoint } from "../../quant/checkpoint/checkpoint.js";
import type { QuantizeReport } from "../../quant/write/encode.js";
import { isHubId } from "../core/hub/names.js";
import {
  type CheckpointOptions,
  checkQuantizeOptions,
  convert,
  openPlace,
  type Place,
  type QuantizeOptions as PlainOptions,
} from "./convert.js";
import type { HubProgress } from "./hub.js";
import type { KeepOptions, KeepReport } from "./trim/keep.js";
import type { TrimOptions, TrimReport } from "./trim.js";

export type * from "../../quant/index.js";
export { encodeGguf, openGguf, openHuggingface, plainRounding, Quantizer, ZagreusError } from "../../quant/index.js";
export { type CheckpointOptions, loadQuantizer } from "./convert.js";
export type { Language } from "./trim/frequencies.js";
export type { CountProgress, KeepOptions, KeepReport } from "./trim/keep.js";
export type { Inflation, LongerWord } from "./trim/measure.js";
export type { TrimOptions, TrimProgress, TrimReport } from "./trim.js";

/** Options of quantize(). */
export interface QuantizeOptions extends PlainOptions {
  /**
   * Which tokens stay; default: all. Where rows are left away, an embedding in Q8_0 may take fewer bytes than the whole one in Q4_0: it then
   * becomes Q8_0, unless `embedding` says otherwise.
   */
  keep?: KeepOptions | undefined;
}

/**
 * Quantizes a model to a GGUF file that llama.cpp and load() run. `out` appears, or is replaced, when it is complete.
 * @param source a Hugging Face directory, a safetensors file in one, a nanotron checkpoint, a GGUF file, or a model of the hub,
 * "hf:owner/repo"
 * @throws ZagreusError INVALID_OPTION, SOURCE_FAILED, WRITE_FAILED, ABORTED, or what is wrong with the checkpoint
 */
export async function quantize(
  source: string,
  out: string,
  options: QuantizeOptions,
): Promise<QuantizeReport & Partial<KeepReport>> {
  checkString("source", source);
  checkString("out", out);
  checkQuantizeOptions(options);
  if (options.keep === undefined) return convert(await place(source, options), out, options);
  const { convertKeeping } = await import("./trim.js");
  const { keep } = options;
  return convertKeeping(() => place(source, options), out, { ...options, keep });
}

/**
 * Writes a model with some of its tokens: every text still becomes tokens, some become more. Rows of the embedding and the LM head are copied, so the
 * logits of the tokens that stay are the whole model's, bit for bit, after the same tokens. `out` appears, or is replaced, when it is complete.
 * @param source path or file URL of a GGUF file; of a split one, its first part
 * @throws ZagreusError INVALID_OPTION, UNSUPPORTED_TOKENIZER, SOURCE_FAILED, WRITE_FAILED, DISK_FULL, ABORTED, or what is wrong with the file
 */
export async function trim(source: string | URL, out: string, options: TrimOptions): Promise<TrimReport> {
  return (await import("./trim.js")).trim(source, out, options);
}

/**
 * Opens what quantize() takes as its source.
 * @throws ZagreusError SOURCE_FAILED, or what is wrong with the checkpoint
 */
export async function openCheckpoint(source: string, options: CheckpointOptions = {}): Promise<Checkpoint> {
  checkString("source", source);
  checkObject("options", options);
  return openPlace(await place(source, options), options);
}

/** Where the source is, downloaded if need be. */
async function place(source: string, { signal, onProgress, onNotice }: CheckpointOptions): Promise<Place> {
  if (!isHubId(source)) return { path: source };
  const { hubCheckpoint } = await import("./hub.js");
  const report = ({ loadedBytes, totalBytes }: HubProgress) =>
    onProgress?.({ phase: "download", doneBytes: loadedBytes, totalBytes });
  return hubCheckpoint(source, { signal, onNotice, onProgress: report });
}
