// The ggml types that can be loaded (layout/blocks.ts draws their blocks).

import {
  BYTES_F16,
  BYTES_F32,
  BYTES_Q4_0,
  BYTES_Q4_1,
  BYTES_Q4_K,
  BYTES_Q5_0,
  BYTES_Q5_1,
  BYTES_Q5_K,
  BYTES_Q6_K,
  BYTES_Q8_0,
  GROUP,
  SUPERBLOCK,
  TYPE_BF16,
  TYPE_F16,
  TYPE_F32,
  TYPE_Q4_0,
  TYPE_Q4_1,
  TYPE_Q4_K,
  TYPE_Q5_0,
  TYPE_Q5_1,
  TYPE_Q5_K,
  TYPE_Q6_K,
  TYPE_Q8_0,
} from "../layout/blocks";

/** Elements in a block of a ggml type, 1 for plain floats; rows are whole blocks. */
export function blockElements(type: u32): u32 {
  if (type == TYPE_F32 || type == TYPE_F16 || type == TYPE_BF16) return 1;
  return type == TYPE_Q4_K || type == TYPE_Q5_K || type == TYPE_Q6_K ? SUPERBLOCK : GROUP;
}

/** File bytes of a block of a ggml type, 0 when the type is not supported. */
export function blockBytes(type: u32): u32 {
  switch (type) {
    case TYPE_F32:
      return BYTES_F32;
    case TYPE_F16:
    case TYPE_BF16:
      return BYTES_F16;
    case TYPE_Q4_0:
      return BYTES_Q4_0;
    case TYPE_Q4_1:
      return BYTES_Q4_1;
    case TYPE_Q5_0:
      return BYTES_Q5_0;
    case TYPE_Q5_1:
      return BYTES_Q5_1;
    case TYPE_Q8_0:
      return BYTES_Q8_0;
    case TYPE_Q4_K:
      return BYTES_Q4_K;
    case TYPE_Q5_K:
      return BYTES_Q5_K;
    case TYPE_Q6_K:
      return BYTES_Q6_K;
    default:
      return 0;
  }
}
