// Packed weights. A matrix is cut into tiles of 16 rows; a tile holds, for every group of 32 columns, 256 bytes of nibbles in one
// stream and 16 f16 scales in another, both read from end to end. A group is four bands of four rows, 64 bytes each.
// Byte 4r + b of vector v (v = 0..3, r = 0..3, b = 0..3) of a band:
//
//                      byte 4r+0          4r+1          4r+2          4r+3
//     low nibble    row r, col 8v+0    col 8v+1      col 8v+2      col 8v+3
//     high nibble   row r, col 8v+4    col 8v+5      col 8v+6      col 8v+7
//
// so that i32 lane = row and no kernel ever sums across lanes.
//
//     int4 matrix | nibbles q (w = d * (q - 8))                                    | scales |
//     int8 matrix | high nibbles h | low nibbles l (w = d * (16 * (h - 8) + l))    | scales |

export const TILE_ROWS = 16;
/** Rows that share a vector. */
export const BAND_ROWS = 4;
/** Bytes of one group (16 rows x 32 columns) in a nibble plane. */
export const TILE_GROUP_BYTES = 256;
/** Bytes of one of its bands. */
export const BAND_GROUP_BYTES = 64;
/** Bytes of one group's 16 f16 scales. */
export const TILE_SCALE_BYTES = 32;
/** Bytes of a band's. */
export const BAND_SCALE_BYTES = 8;
