// The name of a model: what a snapshot is bound to.

import { tensorCount, tensorRecord } from "../gguf/tensors";
import { groupBytes, Matrix, scaleBytes } from "../kernels/matmul/matrix";
import { TENSOR_DESTINATION, TENSOR_DIMENSIONS, TENSOR_ROLE } from "../layout/abi";
import { GROUP } from "../layout/blocks";
import { TILE_ROWS } from "../layout/tile";
import { Config, config } from "../model/config";
import { isVector } from "../model/weights";
import { xxh64 } from "../runtime/hash";
import { tokenBytesAt, tokenLength } from "../tokenizer/index";

const WIDE = 256; // above every role

/** XXH64 over the packed weights in the file's order, the numbers of the forward pass and the vocabulary: what is here of them. */
export function hashModel(): u64 {
  let h = xxh64(changetype<usize>(config) + offsetof<Config>("ropeTheta"), 20, config.heads);
  if (config.yarnContext != 0 || config.ropeMagnitude != 1)
    h = xxh64(changetype<usize>(config) + offsetof<Config>("ropeMagnitude"), 8, h);
  for (let id = 0; config.edge && id < config.vocabulary; id++) h = xxh64(tokenBytesAt(id), tokenLength(id), h);
  for (let i = 0; i < tensorCount(); i++) {
    const record = tensorRecord(i);
    const at = load<usize>(record, TENSOR_DESTINATION);
    if (!at) continue;
    const vector = isVector(load<u32>(record, TENSOR_ROLE));
    // Floats that became int8 meet other activations than a Q8_0 file's int8, though the packed bytes are the same.
    const wide: u32 = !vector && changetype<Matrix>(at).wide ? WIDE : 0;
    h = xxh64(record + TENSOR_DIMENSIONS, 16, h + load<u32>(record, TENSOR_ROLE) + wide);
    if (vector) {
      h = xxh64(at, <usize>load<u32>(record, TENSOR_DIMENSIONS) * 4, h);
      continue;
    }
    const m = changetype<Matrix>(at);
    const groups = <usize>((m.rows + TILE_ROWS - 1) / TILE_ROWS) * (m.columns / GROUP);
    h = xxh64(m.quants, groups * groupBytes(m), h);
    h = xxh64(m.scales, groups * scaleBytes(m), h);
    if (m.minimums) h = xxh64(m.minimums, groups * scaleBytes(m), h);
  }
  return h;
}
