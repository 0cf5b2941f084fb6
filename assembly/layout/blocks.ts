// ggml tensor types and their 32-element source blocks, as they stand in the file:
//
//     Q4_0  | d f16 | 16 bytes: byte j = element j (low nibble), element j + 16 (high nibble); w = d * (q - 8)          18 bytes
//     Q8_0  | d f16 | 32 x i8; w = d * q                                                                                34 bytes
//     F16, BF16, F32: 32 plain elements                                                                          64, 64, 128 bytes

export const TYPE_F32 = 0;
export const TYPE_F16 = 1;
export const TYPE_Q4_0 = 2;
export const TYPE_Q8_0 = 8;
export const TYPE_BF16 = 30;

/** Elements in a quantization group: one f16 scale each. */
export const GROUP = 32;

export const BYTES_Q4_0 = 18;
export const BYTES_Q8_0 = 34;
export const BYTES_F16 = 64;
export const BYTES_F32 = 128;
export const MAX_BLOCK_BYTES = 128;
