// Packed weights. A matrix is cut into tiles of 16 rows; a tile holds, for every group of 32 columns, its weights in one stream and what
// scales them in another, both read from end to end. A group is four bands of four rows. Within a band, vector v holds columns 8v..8v+7
// of an int4 matrix, and vectors 2v, 2v + 1 those of an int8 one; row r of the band has bytes 4r..4r+3:
//
//                            byte 4r+0      4r+1       4r+2       4r+3
//     int4, low nibble       column 8v+0    8v+4       8v+1       8v+5       q of w = d * (q - 8), or d * q + m
//           high nibble             8v+2    8v+6       8v+3       8v+7
//     int8, vector 2v        column 8v+0    8v+4       8v+1       8v+5       q of w = d * q
//           vector 2v+1             8v+2    8v+6       8v+3       8v+7
//
// so that an i32 lane is a row and no kernel ever sums across lanes; and seen as i16, the low bytes of a lane are neighbours, and the high.
//
//     int4 matrix | q: [tiles][groups][4][64] | scales d f16 [tiles][groups][16] | minimums m f16 [tiles][groups][16], where there are |
//     int8 matrix | q: [tiles][groups][4][128] | scales f16, then the sums of a row's 32 q, i16: [tiles][groups][2][16] |

export const TILE_ROWS = 16;
/** Rows that share a vector. */
export const BAND_ROWS = 4;
/** Bytes of a band's weights in one group. */
export const BAND_BYTES_INT4 = 64;
export const BAND_BYTES_INT8 = 128;
/** Bytes of a tile's weights in one group. */
export const GROUP_BYTES_INT4 = 256;
export const GROUP_BYTES_INT8 = 512;
/** Bytes of a tile's scales (and sums) in one group; of its minimums. */
export const SCALE_BYTES_INT4 = 32;
export const SCALE_BYTES_INT8 = 64;
/** From the scales of a group to its sums. */
export const SUMS = 32;
/** Bytes of a band's scales, or sums. */
export const BAND_SCALE_BYTES = 8;
