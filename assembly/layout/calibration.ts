// Names of the calibration build (assembly/calibrate.ts).

// Where matrices read their inputs
export const SITE_ATTENTION = 0; // query, key and value
export const SITE_ATTENDED = 1; // the attention's output matrix
export const SITE_FEED_FORWARD = 2; // gate and up
export const SITE_GATED = 3; // down
export const SITE_HEAD = 4; // the LM head

// Halves of a layer
export const STEP_ATTENTION = 0;
export const STEP_FEED_FORWARD = 1;
