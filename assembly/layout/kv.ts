// The KV cache of integers (model/kv draws it). Its granularity is that of the attention kernels and of the host's blocks.

/** Positions whose attention weights share a scale, and whose values lie together. */
export const BLOCK = 32;
/** Positions in a vector of keys or values. */
export const TILE_POSITIONS = 4;
/** What a query's bytes are raised by. */
export const QUERY_BIAS = 64;
/** What the bytes of an int4 cache's bases are raised by. */
export const BASE_BIAS = 64;
