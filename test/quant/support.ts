// Checkpoints in memory, and GGUF files made of them.

import { readdirSync, readFileSync } from "node:fs";
import { expect } from "vitest";
import { ZagreusError } from "../../host/core/api/errors";
import type { Checkpoint, RandomAccess } from "../../quant/checkpoint/checkpoint";
import { type HuggingfaceOptions, openHuggingface } from "../../quant/read/huggingface";
import { Quantizer } from "../../quant/round/quantizer";
import { plainRounding } from "../../quant/round/rounding";
import { type EncodeOptions, encodeGguf } from "../../quant/write/encode";
import { memoryDirectory } from "../support/models/memory_directory";
import { readSafetensors, safetensors, type TestTensor } from "../support/models/nanotron_writer";

export type Files = Map<string, Uint8Array>;
export type Tensors = Map<string, TestTensor>;

export const quantizer = new Quantizer(
  new WebAssembly.Module(readFileSync(new URL("../../dist/zagreus-quantizer.wasm", import.meta.url))),
);

const NANO = new URL("../fixtures/zagreus-nano-hf/", import.meta.url);
export const WEIGHTS = "model.safetensors";

/** The files of zagreus-nano's Hugging Face directory. */
export function nanoFiles(): Files {
  return new Map(readdirSync(NANO).map((name) => [name, new Uint8Array(readFileSync(new URL(name, NANO)))]));
}

/** Rewrites a JSON file. */
export function edit(files: Files, name: string, change: (value: Record<string, never>) => void): Files {
  const value = JSON.parse(new TextDecoder().decode(files.get(name)));
  change(value);
  return files.set(name, new TextEncoder().encode(JSON.stringify(value)));
}

/** Rewrites the weights. */
export function editTensors(files: Files, change: (tensors: Tensors) => void): Files {
  const tensors = readSafetensors(files.get(WEIGHTS)!);
  change(tensors);
  return files.set(WEIGHTS, safetensors(tensors));
}

export function open(files: Files, options?: HuggingfaceOptions): Promise<Checkpoint> {
  return openHuggingface(memoryDirectory("zagreus-nano", files), options);
}

/** The GGUF file of a checkpoint. */
export async function gguf(checkpoint: Checkpoint, options: Partial<EncodeOptions> = {}): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const sink = async (bytes: Uint8Array) => {
    chunks.push(bytes.slice());
  };
  const { bytes } = await encodeGguf(checkpoint, sink, {
    type: "q8_0",
    rounding: plainRounding(quantizer),
    quantizer,
    ...options,
  });
  const file = new Uint8Array(Buffer.concat(chunks));
  expect(file.length).toBe(bytes);
  return file;
}

export function memoryFile(bytes: Uint8Array, name = "file"): RandomAccess & { closed: boolean } {
  return {
    name,
    byteLength: bytes.length,
    closed: false,
    async read(offset, length) {
      if (offset + length > bytes.length) throw new RangeError("read beyond the end");
      return bytes.slice(offset, offset + length);
    },
    async close() {
      this.closed = true;
    },
  };
}

/** The ZagreusError that a promise must be rejected with. */
export async function failure(promise: Promise<unknown>): Promise<ZagreusError> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(ZagreusError);
  return error as ZagreusError;
}
