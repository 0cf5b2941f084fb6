// Groups of tokens that are alike, so that each group's rows of the LM head are rounded for the contexts in which those
// tokens are likely.

const SAMPLE = 4096; // rows that the centres are learned from
const ROUNDS = 8;

/**
 * k-means by direction (spherical), from evenly spaced rows: the same every time.
 * @param rows f32[count][width]
 * @returns the centres, f32[k][width], of length 1
 */
export function learnCentres(rows: Float32Array, width: number, k: number): Float32Array {
  const count = rows.length / width;
  const centres = new Float32Array(k * width);
  for (let c = 0; c < k; c++) {
    const row = Math.floor((c * count) / k);
    centres.set(rows.subarray(row * width, (row + 1) * width), c * width);
  }
  normalize(centres, width);
  for (let round = 0; round < ROUNDS; round++) {
    const sums = new Float32Array(k * width);
    for (let row = 0; row < count; row++) {
      const x = rows.subarray(row * width, (row + 1) * width);
      const target = nearestCentre(x, centres) * width;
      const inverse = 1 / (Math.sqrt(dot(x, x, 0)) || 1);
      for (let i = 0; i < width; i++) sums[target + i]! += x[i]! * inverse;
    }
    for (let c = 0; c < k; c++) {
      const sum = sums.subarray(c * width, (c + 1) * width);
      if (sum.some((value) => value !== 0)) centres.set(sum, c * width); // a centre that nobody is nearest to stays
    }
    normalize(centres, width);
  }
  return centres;
}

/** Rows of a matrix to learn from. */
export function sampleRows(rows: number): number[] {
  const count = Math.min(rows, SAMPLE);
  return Array.from({ length: count }, (_, i) => Math.floor((i * rows) / count));
}

/** Index of the centre in whose direction `x` points most. */
export function nearestCentre(x: Float32Array, centres: Float32Array): number {
  let best = 0;
  let most = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < centres.length; at += x.length) {
    const value = dot(x, centres, at);
    if (value > most) {
      most = value;
      best = at / x.length;
    }
  }
  return best;
}

function dot(x: Float32Array, y: Float32Array, at: number): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[at + i]!;
  return sum;
}

function normalize(rows: Float32Array, width: number): void {
  for (let at = 0; at < rows.length; at += width) {
    const row = rows.subarray(at, at + width);
    const length = Math.sqrt(dot(row, row, 0)) || 1;
    for (let i = 0; i < width; i++) row[i]! /= length;
  }
}
