// LoRA adapters: what they change in a layer, and their limits.

/** Adapters that can be loaded at a time. */
export const MAX_ADAPTERS = 16;
/** Largest rank of one. */
export const MAX_ADAPTER_RANK = 512;

// Matrices of a layer that an adapter can change
export const SITE_QUERY = 0;
export const SITE_KEY = 1;
export const SITE_VALUE = 2;
export const SITE_OUTPUT = 3;
export const SITE_GATE = 4;
export const SITE_UP = 5;
export const SITE_DOWN = 6;
export const SITES = 7;

// Factors of the change B (A x)
export const FACTOR_A = 0; // [rank, columns of the matrix]
export const FACTOR_B = 1; // [rows of the matrix, rank]
