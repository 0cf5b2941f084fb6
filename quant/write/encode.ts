// A checkpoint to a GGUF file, tensor by tensor: memory holds one piece of a tensor at a time.

import { GROUP, TYPE_F32 } from "../../assembly/layout/blocks.js";
import { aborted, invalidOption, ZagreusError } from "../../host/core/api/errors.js";
import { tensorTypeName } from "../../host/core/api/names.js";
import { checkObject } from "../checkpoint/arguments.js";
import type { Checkpoint, SourceTensor } from "../checkpoint/checkpoint.js";
import { type Metadata, u32 } from "../checkpoint/metadata.js";
import { QUANTIZED, type QuantizedType, tensorType, typeBytes, typeNames } from "../checkpoint/types.js";
import type { Quantizer, RoundedRows } from "../round/quantizer.js";
import { type Rounding, readRows } from "../round/rounding.js";
import { aligned, encodeHeader, type TensorEntry } from "./gguf_writer.js";

const QUANTIZATION_VERSION = 2; // of ggml's block formats

/** Options of encodeGguf(). */
export interface EncodeOptions {
  /** Element type of every matrix. Default: each keeps its own. */
  type?: QuantizedType | undefined;
  /** Element type of the embedding and the LM head. Default: `type`. */
  embedding?: QuantizedType | undefined;
  /** Whether matrices may be rounded that were rounded before, to another type: they lose twice. Default: false. */
  requantize?: boolean | undefined;
  /** How values are chosen for the blocks. */
  rounding: Rounding;
  /** The module that rounds. */
  quantizer: Quantizer;
  /** Ends the writing with ABORTED. */
  signal?: AbortSignal | undefined;
  /** Called as the work goes on. */
  onProgress?: ((progress: QuantizeProgress) => void) | undefined;
}

/** How far quantize() is. */
export interface QuantizeProgress {
  /** "download": from the hub to its cache; "calibrate": of the text, each time it is read; "quantize": into the new file. */
  phase: "download" | "calibrate" | "quantize";
  /** Bytes that this phase has dealt with. */
  doneBytes: number;
  /** Bytes that this phase will have dealt with; undefined as long as that is not known. */
  totalBytes: number | undefined;
}

/** What quantize() has written. */
export interface QuantizeReport {
  /** Size of the file in bytes. */
  bytes: number;
  /** Tensors of the file. */
  tensors: number;
  /** Mean squared error of the written matrices, over all their elements; 0 where nothing had to be rounded. */
  meanSquaredError: number;
}

/** Takes the file's bytes in order; they may be overwritten when its promise resolves. */
export type Sink = (bytes: Uint8Array) => Promise<void>;

/**
 * Writes a checkpoint as GGUF: matrices in the wanted type, vectors in F32, tensors in llama-quantize's order.
 * @throws ZagreusError ABORTED, BAD_DIMENSION, UNSUPPORTED_TENSOR_TYPE, NON_FINITE_WEIGHT, and what reading, rounding and writing
 * throw
 */
export async function encodeGguf(checkpoint: Checkpoint, sink: Sink, options: EncodeOptions): Promise<QuantizeReport> {
  checkObject("checkpoint", checkpoint);
  checkObject("options", options);
  checkObject("metadata", checkpoint.metadata);
  if (!Array.isArray(checkpoint.tensors)) throw invalidOption("tensors", checkpoint.tensors, "a list");
  if (typeof sink !== "function") throw invalidOption("sink", sink, "a function");
  const { signal, onProgress, rounding, quantizer } = options;
  if (!options.requantize) requireUnrounded(checkpoint, options);
  const outputs = [...checkpoint.tensors].sort(inFileOrder).map((tensor) => plan(tensor, options));
  const header = encodeHeader(fileMetadata(checkpoint.metadata, options), outputs);
  const totalBytes = outputs.reduce((sum, { byteLength }) => sum + aligned(byteLength), header.length);
  let writtenBytes = 0;
  const write = async (bytes: Uint8Array) => {
    if (signal?.aborted) throw aborted(signal.reason);
    await sink(bytes);
    writtenBytes += bytes.length;
    onProgress?.({ phase: "quantize", doneBytes: writtenBytes, totalBytes });
  };

  await write(header);
  let squaredError = 0;
  let elements = 0;
  for (const { tensor, type, byteLength } of outputs) {
    const end = writtenBytes + byteLength;
    for await (const rows of encode(tensor, type, rounding, quantizer)) {
      squaredError += rows.squaredError;
      await write(rows.bytes);
    }
    if (writtenBytes !== end) throw new RangeError(`${tensor.name}: ${writtenBytes - end} bytes too many were written`);
    if (!tensor.vector) elements += tensor.rows * tensor.columns;
    const padding = aligned(byteLength) - byteLength;
    if (padding > 0) await write(new Uint8Array(padding));
  }
  return { bytes: writtenBytes, tensors: outputs.length, meanSquaredError: elements > 0 ? squaredError / elements : 0 };
}

interface OutputTensor extends TensorEntry {
  tensor: SourceTensor;
}

type Types = Pick<EncodeOptions, "type" | "embedding">;

/** Names of the types of matrices that would be rounded a second time; those that stay what they are lose nothing. */
export function roundedTwice({ tensors }: Checkpoint, options: Types): string[] {
  const types = tensors.filter((tensor) => !tensor.vector && tensor.type !== targetType(tensor, options));
  return typeNames((row) => row.isRounded && types.some(({ type }) => type === row.type));
}

/** @throws ZagreusError UNSUPPORTED_TENSOR_TYPE */
function requireUnrounded(checkpoint: Checkpoint, options: Types): void {
  const value = roundedTwice(checkpoint, options).join(", ");
  if (value === "") return;
  const expected = typeNames((row) => !row.isRounded).join(", ");
  throw new ZagreusError(
    "UNSUPPORTED_TENSOR_TYPE",
    `matrices are ${value}, rounded already, and would lose twice: take the model in one of ${expected}, or requantize (--requantize)`,
    { field: "requantize", value, expected },
  );
}

/** TYPE_* that a tensor has in the new file. */
function targetType({ name, vector, type: own }: SourceTensor, { type, embedding = type }: Types): number {
  const outside = name === "token_embd.weight" || name === "output.weight";
  const wanted = outside ? embedding : type;
  return vector ? TYPE_F32 : wanted === undefined ? own : QUANTIZED[wanted].type;
}

/** @throws ZagreusError BAD_DIMENSION, UNSUPPORTED_TENSOR_TYPE */
function plan(tensor: SourceTensor, options: EncodeOptions): OutputTensor {
  const { name, rows, columns, vector } = tensor;
  const type = targetType(tensor, options);
  requireReadable(tensor);
  if (!vector && columns % GROUP !== 0) {
    const expected = `a multiple of ${GROUP}`;
    throw new ZagreusError("BAD_DIMENSION", `tensor "${name}" has ${columns} columns, must be ${expected}`, {
      field: name,
      value: columns,
      expected,
    });
  }
  const dimensions = vector ? [columns] : [columns, rows];
  return { tensor, name, type, dimensions, byteLength: typeBytes(type, rows * columns)! };
}

/** @throws ZagreusError UNSUPPORTED_TENSOR_TYPE for what cannot be loaded either */
function requireReadable({ name, type, vector }: SourceTensor): void {
  const row = tensorType(type);
  if (row && !(vector && row.isRounded)) return;
  const expected = typeNames((row) => !(vector && row.isRounded)).join(", ");
  const message = `tensor "${name}" is ${tensorTypeName(type)}, must be one of ${expected}`;
  throw new ZagreusError("UNSUPPORTED_TENSOR_TYPE", message, { field: name, value: tensorTypeName(type), expected });
}

async function* encode(
  tensor: SourceTensor,
  type: number,
  rounding: Rounding,
  quantizer: Quantizer,
): AsyncIterable<RoundedRows> {
  if (tensor.vector) {
    const floats = quantizer.floats(tensor.type, await tensor.read(0, 1), tensor.columns);
    const index = floats.findIndex((value) => !Number.isFinite(value));
    if (index >= 0) {
      const message = `tensor "${tensor.name}": element ${index} is not finite`;
      throw new ZagreusError("NON_FINITE_WEIGHT", message, { field: tensor.name, value: index });
    }
    yield { bytes: new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength), squaredError: 0 };
  } else if (tensor.type === type) {
    for await (const { bytes } of readRows(tensor)) yield { bytes, squaredError: 0 };
  } else {
    yield* rounding.blocks(tensor, type);
  }
}

function fileMetadata(metadata: Metadata, { type, embedding }: Types): Metadata {
  const all = new Map(metadata);
  const replaced: Metadata = new Map();
  if (type ?? embedding) replaced.set("general.quantization_version", u32(QUANTIZATION_VERSION));
  if (type) replaced.set("general.file_type", u32(QUANTIZED[type].fileType));
  for (const key of ["general.alignment", ...replaced.keys()]) all.delete(key);
  return new Map([...all, ...replaced]);
}

/** Tensors outside the layers first, then layer by layer, by name within. */
function inFileOrder(a: { name: string }, b: { name: string }): number {
  return layerOf(a.name) - layerOf(b.name) || (a.name < b.name ? -1 : 1);
}

function layerOf(name: string): number {
  return Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? -1);
}
