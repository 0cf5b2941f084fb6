// From a matrix to blocks. Rounding is where methods differ; everything around it is the same for all of them.

import { ZagreusError } from "../../host/core/api/errors.js";
import { tensorTypeName } from "../../host/core/api/names.js";
import type { SourceTensor } from "../checkpoint/checkpoint.js";
import { typeBytes } from "../checkpoint/types.js";
import type { Quantizer, RoundedRows } from "./quantizer.js";

/** A way to round: plain, or with calibration data behind it. */
export interface Rounding {
  /**
   * The blocks of a matrix in `type` (TYPE_Q8_0 or TYPE_Q4_0), row after row in pieces of any size, each with the sum of squared
   * differences from the matrix's values. The consumer is done with a piece when it asks for the next. Tensors are asked for in the
   * order of the file, each once. Not called for vectors, nor for matrices that have `type` already.
   */
  blocks(tensor: SourceTensor, type: number): AsyncIterable<RoundedRows>;
}

const CHUNK_BYTES = 1 << 20;

/** Each value to the nearest of its block's, as llama.cpp's quantizer without an importance matrix. */
export function plainRounding(quantizer: Quantizer): Rounding {
  return {
    async *blocks(tensor, type) {
      for await (const { row, bytes } of readRows(tensor)) {
        const rounded = quantizer.round(tensor.type, bytes, type);
        if (!Number.isFinite(rounded.squaredError)) throw nonFinite(quantizer, tensor, type, row, bytes);
        yield rounded;
      }
    },
  };
}

/** All rows in pieces of about 1 MiB, the next being read while one is used. */
export async function* readRows(tensor: SourceTensor): AsyncGenerator<{ row: number; bytes: Uint8Array }> {
  const count = Math.max(1, Math.floor(CHUNK_BYTES / typeBytes(tensor.type, tensor.columns)!));
  const read = (row: number) => (row < tensor.rows ? tensor.read(row, Math.min(count, tensor.rows - row)) : undefined);
  let reading = read(0);
  try {
    for (let row = 0; reading; row += count) {
      const bytes = await reading;
      reading = read(row + count);
      yield { row, bytes };
    }
  } finally {
    await reading?.catch(() => {});
  }
}

function nonFinite(quantizer: Quantizer, tensor: SourceTensor, type: number, first: number, bytes: Uint8Array) {
  const rowBytes = typeBytes(tensor.type, tensor.columns)!;
  let row = 0;
  const error = (row: number) =>
    quantizer.round(tensor.type, bytes.subarray(row * rowBytes, (row + 1) * rowBytes), type).squaredError;
  while (Number.isFinite(error(row))) row++;
  return new ZagreusError(
    "NON_FINITE_WEIGHT",
    `tensor "${tensor.name}": a weight in row ${first + row} is not finite, or too large for ${tensorTypeName(type)}`,
    { field: tensor.name, value: first + row },
  );
}
