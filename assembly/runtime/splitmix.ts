// SplitMix64 (https://doi.org/10.1145/2714064.2660195): 64 random bits of every state, and the next state is SPLITMIX_STEP further.

export const SPLITMIX_STEP: u64 = 0x9e3779b97f4a7c15;

/** The bits of a state. */
export function splitmix(state: u64): u64 {
  let z = (state ^ (state >>> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >>> 27)) * 0x94d049bb133111eb;
  return z ^ (z >>> 31);
}
