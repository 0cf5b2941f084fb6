// Work for threads, counted in tiles instead of timed: what the busiest does when everybody takes the next chunk as soon as it is free.

import { beforeAll, expect, test } from "vitest";
import { compileText } from "../support/compile";

const SOURCE = `export { chunkTiles } from "../../assembly/kernels/matmul/matmul";`;
const TILE_ROWS = 16;

/** Rows of the matrices that run together, of a layer and of the head. */
const MODELS = {
  "Zagreus-0.4B": [[960, 320, 320], [960], [2560, 2560], [960], [128_256]],
  "SmolLM2-135M": [[576, 192, 192], [576], [1536, 1536], [576], [49_152]],
};

let chunkTiles: (tiles: number, threads: number, inStreams: boolean) => number;
beforeAll(async () => {
  const { binary } = await compileText("chunks", SOURCE, "--target", "simd-mt");
  const memory = new WebAssembly.Memory({ initial: 32, maximum: 65_536, shared: true });
  const { instance } = await WebAssembly.instantiate(binary, { env: { memory, abort() {} } });
  chunkTiles = instance.exports.chunkTiles as typeof chunkTiles;
});

function chunksOf(rows: number, threads: number, inStreams: boolean): number[] {
  const chunks: number[] = [];
  for (let left = Math.ceil(rows / TILE_ROWS); left > 0; left -= chunks.at(-1)!) {
    chunks.push(Math.min(chunkTiles(Math.ceil(rows / TILE_ROWS), threads, inStreams), left));
  }
  return chunks;
}

/** The share of the threads' time in which they work. */
function efficiency(matrices: number[][], threads: number, inStreams: boolean): number {
  let [busy, wall] = [0, 0];
  for (const together of matrices) {
    const done = new Array<number>(threads).fill(0);
    for (const chunk of together.flatMap((rows) => chunksOf(rows, threads, inStreams))) {
      done[done.indexOf(Math.min(...done))]! += chunk;
    }
    busy += done.reduce((sum, tiles) => sum + tiles);
    wall += Math.max(...done) * threads;
  }
  return busy / wall;
}

test.each([
  [2, false, 0.94],
  [3, false, 0.93],
  [4, false, 0.9],
  [2, true, 0.97],
  [3, true, 0.8],
  [4, true, 0.75],
])("%i threads, in streams: %s: busy at least %d of the time", (threads, inStreams, wanted) => {
  for (const [model, [qkv, output, gateUp, down, head]] of Object.entries(MODELS)) {
    const share = efficiency([qkv!, output!, gateUp!, down!], threads, inStreams);
    console.log(`${model}, ${threads} threads, in streams: ${inStreams}: layers ${share.toFixed(3)}`);
    expect(share).toBeGreaterThanOrEqual(wanted);
    expect(efficiency([head!], threads, inStreams)).toBeGreaterThan(0.98);
  }
});

test("a stream has at least four tiles, unless the matrix has not", () => {
  for (let tiles = 1; tiles < 400; tiles++) {
    for (let threads = 2; threads <= 8; threads++) {
      const chunk = chunkTiles(tiles, threads, true);
      expect(chunk).toBeGreaterThanOrEqual(Math.min(tiles, 16));
      expect(Math.ceil(tiles / chunk)).toBeLessThanOrEqual(4 * threads);
    }
  }
});
