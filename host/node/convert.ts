// From the path of a checkpoint to a GGUF file. Paths are relative to dist/, where this file is bundled to.

import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { calibratedRounding } from "../../quant/calibration/calibrate.js";
import { checkObject } from "../../quant/checkpoint/arguments.js";
import type { Checkpoint, Directory } from "../../quant/checkpoint/checkpoint.js";
import { QUANTIZED_TYPES, type QuantizedType } from "../../quant/checkpoint/types.js";
import { checkHuggingface } from "../../quant/read/huggingface.js";
import { openCheckpoint as openIn } from "../../quant/read/open.js";
import { Quantizer } from "../../quant/round/quantizer.js";
import { plainRounding, type Rounding } from "../../quant/round/rounding.js";
import { encodeGguf, type QuantizeProgress, type QuantizeReport, roundedTwice } from "../../quant/write/encode.js";
import { invalidOption, ZagreusError } from "../core/api/errors.js";
import { outputPath, writeAtomically } from "./files/output_file.js";
import { fileAt, readPackageFile } from "./files/package_files.js";
import { openDirectory } from "./files/random_access.js";

/** Options of openCheckpoint(). */
export interface CheckpointOptions {
  /** Name of the model. Default: the directory's or the hub repository's, or what a GGUF file says. */
  name?: string | undefined;
  /** Directory of tokenizer.json, or its path, if it is not beside the model. */
  tokenizer?: string | undefined;
  /** Ends the work with ABORTED. */
  signal?: AbortSignal | undefined;
  /** Called as the work goes on. */
  onProgress?: ((progress: QuantizeProgress) => void) | undefined;
  /** Told in a sentence what a person may want to know: about a download, or what is lost. */
  onNotice?: ((message: string) => void) | undefined;
}

/** Options of quantize(). */
export interface QuantizeOptions extends CheckpointOptions {
  /** Element type of every matrix. */
  type: QuantizedType;
  /** Element type of the embedding and the LM head. Default: `type`. */
  embedding?: QuantizedType | undefined;
  /**
   * Whether a GGUF file's matrices may be rounded that were rounded before (Q4_1, Q6_K, …): they lose twice. Default: false, and such a file is
   * refused, but for matrices that have the wanted type, which stay as they are.
   */
  requantize?: boolean | undefined;
  /**
   * A text (UTF-8) to choose what becomes Q4_0 by, or true for the one that comes with the package. Without it every value goes to the
   * nearest of its block's.
   */
  calibrate?: true | string | Uint8Array | undefined;
  /** Another way to choose blocks. */
  rounding?: ((checkpoint: Checkpoint, quantizer: Quantizer) => Promise<Rounding>) | undefined;
}

const FILES = {
  quantizer: fileAt(() => new URL("./zagreus-quantizer.wasm", import.meta.url), "zagreus-quantizer.wasm"),
  calibrate: fileAt(() => new URL("./zagreus-calibrate.wasm", import.meta.url), "zagreus-calibrate.wasm"),
  text: fileAt(() => new URL("./calibration.txt", import.meta.url), "calibration.txt"),
};

/** A checkpoint's path, and the name of its folder if that tells nothing. */
export interface Place {
  path: string;
  name?: string | undefined;
}

/** @throws ZagreusError INVALID_OPTION */
export function checkQuantizeOptions(options: QuantizeOptions): void {
  checkObject("options", options);
  const { type, embedding, calibrate, requantize } = options;
  const types = `one of ${QUANTIZED_TYPES.join(", ")}`;
  if (!QUANTIZED_TYPES.includes(type)) throw invalidOption("type", type, types);
  if (embedding !== undefined && !QUANTIZED_TYPES.includes(embedding))
    throw invalidOption("embedding", embedding, types);
  if (requantize !== undefined && typeof requantize !== "boolean") {
    throw invalidOption("requantize", requantize, "true or false");
  }
  if (calibrate !== undefined && type !== "q4_0" && embedding !== "q4_0") {
    throw invalidOption("calibrate", true, "left out where nothing becomes q4_0");
  }
}

/** As quantize(), of files that are here. */
export async function convert(source: Place, out: string, options: QuantizeOptions): Promise<QuantizeReport> {
  checkQuantizeOptions(options);
  return convertWith(source, out, options, async (checkpoint) => ({ checkpoint, embedding: options.embedding }));
}

/** Without a type, matrices stay what they are. */
export type ConvertOptions = Omit<QuantizeOptions, "type"> & Partial<Pick<QuantizeOptions, "type">>;

/** Another checkpoint for the one that is read, and the type of its embedding and LM head. */
export type Change = (
  checkpoint: Checkpoint,
) => Promise<{ checkpoint: Checkpoint; embedding: QuantizedType | undefined }>;

/** The same with a change to what is read. */
export async function convertWith(
  source: Place,
  out: string,
  options: ConvertOptions,
  change: Change,
): Promise<QuantizeReport> {
  const { type, requantize, signal, onProgress, onNotice } = options;
  const path = await outputPath(out);
  const quantizer = await loadQuantizer();
  const inputs = new Set<string>();
  const opened = await openRecording(source, options, inputs);
  try {
    if (inputs.has(path)) throw invalidOption("out", out, "another file than those that are read");
    const { checkpoint, embedding } = await change(opened);
    const twice = requantize ? roundedTwice(checkpoint, { type, embedding }) : [];
    if (twice.length > 0) onNotice?.(`what is ${twice.join(", ")} was rounded before, and loses a second time`);
    const rounding = await chooseRounding(checkpoint, quantizer, options);
    return await writeAtomically(path, (sink) =>
      encodeGguf(checkpoint, sink, { type, embedding, requantize, rounding, quantizer, signal, onProgress }),
    );
  } finally {
    await opened.close();
  }
}

/** @throws ZagreusError what is wrong with a Hugging Face folder that has no weights yet */
export function checkFolder(path: string): Promise<void> {
  return checkHuggingface(openDirectory(path));
}

/** As openCheckpoint(), of files that are here. */
export function openPlace(source: Place, options: CheckpointOptions): Promise<Checkpoint> {
  return openRecording(source, options, new Set());
}

/** The quantizer's module, as it comes with the package. */
export async function loadQuantizer(): Promise<Quantizer> {
  return new Quantizer(await compile(FILES.quantizer));
}

async function chooseRounding(
  checkpoint: Checkpoint,
  quantizer: Quantizer,
  { calibrate, rounding, signal, onProgress }: ConvertOptions,
): Promise<Rounding> {
  if (rounding) return rounding(checkpoint, quantizer);
  if (calibrate === undefined) return plainRounding(quantizer);
  return calibratedRounding(checkpoint, {
    core: await compile(FILES.calibrate),
    compensator: await compile(FILES.quantizer),
    quantizer,
    text: calibrate === true ? await readPackageFile(FILES.text) : calibrate,
    signal,
    macrotask: () => setImmediate(),
    onProgress: (progress) => onProgress?.({ phase: "calibrate", ...progress }),
  });
}

async function compile(file: URL): Promise<WebAssembly.Module> {
  return new WebAssembly.Module(await readPackageFile(file));
}

/** @param inputs gets the real paths of all files that are opened */
async function openRecording(source: Place, options: CheckpointOptions, inputs: Set<string>): Promise<Checkpoint> {
  const { directory, file } = await locate(source.path, inputs, source.name);
  const tokenizer = options.tokenizer === undefined ? undefined : (await locate(options.tokenizer, inputs)).directory;
  return openIn(directory, file, { name: options.name, tokenizer });
}

/** A directory, or the directory of a file and the file's name in it. */
async function locate(
  path: string,
  inputs: Set<string>,
  name?: string,
): Promise<{ directory: Directory; file?: string }> {
  const found = await stat(path).catch((cause) => {
    const message = `cannot read "${path}": ${cause.message}`;
    throw new ZagreusError("SOURCE_FAILED", message, { field: "source", value: path, cause });
  });
  const root = found.isDirectory() ? path : dirname(path);
  const directory = openDirectory(root);
  const recording: Directory = {
    ...directory,
    name: name ?? directory.name,
    async open(path) {
      const file = await directory.open(path);
      inputs.add(await realpath(join(root, path)));
      return file;
    },
  };
  return { directory: recording, ...(!found.isDirectory() && { file: basename(path) }) };
}
