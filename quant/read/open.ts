// Picks the reader of a checkpoint.

import { invalidOption, ZagreusError } from "../../host/core/api/errors.js";
import { parsePartName, partNames } from "../../host/core/gguf/parts.js";
import type { Checkpoint, Directory, RandomAccess } from "../checkpoint/checkpoint.js";
import { text } from "../checkpoint/metadata.js";
import { openGguf } from "./gguf_checkpoint.js";
import { openHuggingface } from "./huggingface.js";
import { isNanotron, openNanotron } from "./nanotron.js";

/** Options of openCheckpoint(). */
export interface OpenOptions {
  /** Name of the model; by default the directory's, or what a GGUF file says. */
  name?: string | undefined;
  /** Where tokenizer.json and its neighbours are, if not in the same directory. */
  tokenizer?: Directory | undefined;
}

/**
 * Opens a checkpoint: a directory (Hugging Face's or nanotron's), or one file in it, a safetensors file (with config.json and the
 * tokenizer beside it) or a GGUF file.
 * @throws ZagreusError SOURCE_FAILED when this is no checkpoint, INVALID_OPTION for a tokenizer where the file has its own; else what openHuggingface(), openNanotron() and openGguf() throw
 */
export async function openCheckpoint(
  directory: Directory,
  file?: string,
  options: OpenOptions = {},
): Promise<Checkpoint> {
  if (file?.endsWith(".safetensors")) return openHuggingface(directory, { ...options, weights: file });
  if (file !== undefined && !file.endsWith(".json")) {
    if (options.tokenizer !== undefined) {
      const { name } = options.tokenizer;
      throw invalidOption("tokenizer", name, `absent: the GGUF file "${file}" has its own`);
    }
    const checkpoint = await openParts(directory, file);
    if (options.name !== undefined) checkpoint.metadata.set("general.name", text(options.name));
    return checkpoint;
  }
  if (await directory.has("config.json")) return openHuggingface(directory, options);
  if (isNanotron(await directory.list())) return openNanotron(directory, options);
  const message = `"${directory.name}" is no checkpoint: it has no config.json (Hugging Face) or model_config.json (nanotron)`;
  throw new ZagreusError("SOURCE_FAILED", message, { field: "source", value: directory.name });
}

/** A GGUF file with, if it is the first part of a split one, the other parts. */
async function openParts(directory: Directory, path: string): Promise<Checkpoint> {
  const part = parsePartName(path);
  const files: RandomAccess[] = [];
  try {
    for (const name of part?.number === 1 ? partNames(part) : [path]) files.push(await directory.open(name));
  } catch (error) {
    for (const file of files) await file.close();
    throw error;
  }
  return openGguf(...(files as [RandomAccess, ...RandomAccess[]]));
}
