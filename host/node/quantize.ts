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
  type QuantizeOptions,
} from "./convert.js";
import type { HubProgress } from "./hub.js";

export type * from "../../quant/index.js";
export { encodeGguf, openGguf, openHuggingface, plainRounding, Quantizer, ZagreusError } from "../../quant/index.js";
export { type CheckpointOptions, loadQuantizer, type QuantizeOptions } from "./convert.js";

/**
 * Quantizes a model to a GGUF file that llama.cpp and load() run. `out` appears, or is replaced, when it is complete.
 * @param source a Hugging Face directory, a safetensors file in one, a nanotron checkpoint, a GGUF file, or a model of the hub,
 * "hf:owner/repo"
 * @throws ZagreusError INVALID_OPTION, SOURCE_FAILED, WRITE_FAILED, ABORTED, or what is wrong with the checkpoint
 */
export async function quantize(source: string, out: string, options: QuantizeOptions): Promise<QuantizeReport> {
  checkString("source", source);
  checkString("out", out);
  checkQuantizeOptions(options);
  return convert(await place(source, options), out, options);
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
