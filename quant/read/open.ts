// Picks the reader of a checkpoint.

import { ZagreusError } from "../../host/core/api/errors.js";
import type { Checkpoint, Directory } from "../checkpoint/checkpoint.js";
import { text } from "../checkpoint/metadata.js";
import { openGguf } from "./gguf_checkpoint.js";
import { openHuggingface } from "./huggingface.js";
import { isNanotron, openNanotron } from "./nanotron.js";

export interface OpenOptions {
  /** Name of the model; by default the directory's, or what a GGUF file says. */
  name?: string | undefined;
  /** Where tokenizer.json and its neighbours are, if not in the same directory. */
  tokenizer?: Directory | undefined;
}

/**
 * Opens a checkpoint: a directory (Hugging Face's or nanotron's), or one file in it, a safetensors file (with config.json and the
 * tokenizer beside it) or a GGUF file.
 * @throws ZagreusError SOURCE_FAILED when this is no checkpoint; else what openHuggingface(), openNanotron() and openGguf() throw
 */
export async function openCheckpoint(
  directory: Directory,
  file?: string,
  options: OpenOptions = {},
): Promise<Checkpoint> {
  if (file?.endsWith(".safetensors")) return openHuggingface(directory, { ...options, weights: file });
  if (file !== undefined && !file.endsWith(".json")) {
    const checkpoint = await openGguf(await directory.open(file));
    if (options.name !== undefined) checkpoint.metadata.set("general.name", text(options.name));
    return checkpoint;
  }
  if (await directory.has("config.json")) return openHuggingface(directory, options);
  if (isNanotron(await directory.list())) return openNanotron(directory, options);
  const message = `"${directory.name}" is no checkpoint: it has no config.json (Hugging Face) or model_config.json (nanotron)`;
  throw new ZagreusError("SOURCE_FAILED", message, { field: "source", value: directory.name });
}
