// ggml tensor types and their blocks, as they stand in the file. Of 32 elements:
//
//     Q4_0  | d f16 | 16 bytes: byte j = element j (low nibble), element j + 16 (high nibble); w = d * (q - 8)           18 bytes
//     Q4_1  | d f16 | m f16 | 16 bytes as in Q4_0; w = d * q + m                                                         20 bytes
//     Q5_0  | d f16 | u32: bit j = bit 4 of element j | 16 bytes as in Q4_0; w = d * (q - 16)                            22 bytes
//     Q5_1  | d f16 | m f16 | u32, 16 bytes as in Q5_0; w = d * q + m                                                    24 bytes
//     Q8_0  | d f16 | 32 x i8; w = d * q                                                                                 34 bytes
//
// Of 256 elements, the K-quants. Q4_K and Q5_K: w = d * s * q - e * m, with s and m of 6 bits for each 32 elements:
//
//     Q4_K  | d f16 | e f16 | 12 bytes: s, m | 4 x 32 bytes: byte j of n = elements 64n + j (low), 64n + 32 + j (high)  144 bytes
//     Q5_K  | d f16 | e f16 | 12 bytes: s, m | 32 bytes: bit g of byte j = bit 4 of element 32g + j | 4 x 32 bytes      176 bytes
//
//           of s, m     bits 7..6                   bits 5..4      bits 3..0
//           byte g      s of g + 4, bits 5..4       s of g                         g = 0..3
//           byte 4 + g  m of g + 4, bits 5..4       m of g
//           byte 8 + g  m of g + 4, bits 3..0 (four bits)          s of g + 4, bits 3..0
//
// Q6_K: w = d * s * (q - 32), with s for each 16 elements:
//
//     Q6_K  | 2 x 64 bytes: byte j of n = bits 3..0 of elements 128n + j (low), 128n + 64 + j (high)
//           | 2 x 32 bytes: bits 2k + 1, 2k of byte j of n = bits 5, 4 of element 128n + 32k + j | 16 x s i8 | d f16    210 bytes
//
// F16, BF16 and F32 are plain elements.

// A type that can be loaded is TYPE_* (its number in the file), ELEMENTS_* and BYTES_* (of a block). Names are made of these: the host's
// messages, its choice among the files of a repository. Of other types there is the number only, so that messages can name them.

export const TYPE_F32 = 0;
export const TYPE_F16 = 1;
export const TYPE_Q4_0 = 2;
export const TYPE_Q4_1 = 3;
export const TYPE_Q5_0 = 6;
export const TYPE_Q5_1 = 7;
export const TYPE_Q8_0 = 8;
export const TYPE_Q4_K = 12;
export const TYPE_Q5_K = 13;
export const TYPE_Q6_K = 14;
export const TYPE_BF16 = 30;

export const TYPE_Q8_1 = 9;
export const TYPE_Q2_K = 10;
export const TYPE_Q3_K = 11;
export const TYPE_Q8_K = 15;
export const TYPE_IQ4_NL = 20;
export const TYPE_IQ4_XS = 23;
export const TYPE_F64 = 28;

export const ELEMENTS_F32 = 1;
export const ELEMENTS_F16 = 1;
export const ELEMENTS_BF16 = 1;
export const ELEMENTS_Q4_0 = 32;
export const ELEMENTS_Q4_1 = 32;
export const ELEMENTS_Q5_0 = 32;
export const ELEMENTS_Q5_1 = 32;
export const ELEMENTS_Q8_0 = 32;
export const ELEMENTS_Q4_K = 256;
export const ELEMENTS_Q5_K = 256;
export const ELEMENTS_Q6_K = 256;

export const BYTES_F32 = 4;
export const BYTES_F16 = 2;
export const BYTES_BF16 = 2;
export const BYTES_Q4_0 = 18;
export const BYTES_Q4_1 = 20;
export const BYTES_Q5_0 = 22;
export const BYTES_Q5_1 = 24;
export const BYTES_Q8_0 = 34;
export const BYTES_Q4_K = 144;
export const BYTES_Q5_K = 176;
export const BYTES_Q6_K = 210;

/** The largest block of all: what is packed at once. */
export const MAX_BLOCK_BYTES = 210;
/** Elements in a quantization group, which a packed matrix has a scale for. */
export const GROUP = 32;
/** Elements in a block of a K-quant. */
export const SUPERBLOCK = 256;
