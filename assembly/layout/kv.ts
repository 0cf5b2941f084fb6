// The int8 KV cache (model/kv_cache.ts draws it). Its granularity is that of the attention kernels and of the host's blocks.

/** Positions whose attention weights share a scale, and whose values lie together. */
export const BLOCK = 32;
/** Positions in a vector of keys or values. */
export const TILE_POSITIONS = 4;
/** What a query's bytes are raised by. */
export const QUERY_BIAS = 64;
