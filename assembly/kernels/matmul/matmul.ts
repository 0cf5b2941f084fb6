// Quantized weights times quantized activations: out[token][row] = sum over groups of scale(row) * scale(token) * integer dot.
//
// The integer dot of a group of 32 columns is exact; groups are added in f32 in column order. So a result depends neither on how
// many tokens are computed together nor on which of the kernels computes it.

import {
  KERNEL_ADD,
  KERNEL_BYTES_SIGNED,
  KERNEL_BYTES_UNSIGNED,
  KERNEL_STREAMS_FEW,
  KERNEL_STREAMS_ONE,
  MAX_BATCH,
} from "../../layout/abi";
import { GROUP } from "../../layout/blocks";
import { BAND_ROWS, SCALE_BYTES_INT4, TILE_ROWS } from "../../layout/tile";
import { parallelFor, parameter, setParameter, threadCount } from "../../runtime/threads";
import { kernels } from "../choice";
import { fromHalf } from "../half";
import { PLANE_UNSIGNED, RELAXED } from "../simd";
import { groupBytes, Matrix, scaleBytes } from "./matrix";
import { streamInt4, streamInt4Add, streamInt8, streamInt8Add } from "./narrow";
import { PAIRS_SCRATCH, pairTokens } from "./pairs";
import { Product } from "./product";
import { FEW_TOKENS, fewTokens, StreamKernel, STREAMS_SCRATCH } from "./streams";
import { streamWideInt4, streamWideInt8 } from "./wide";

const CHUNKS_PER_THREAD = 4;
/** Fewest tiles of a chunk that goes in streams: four for each. */
const STREAM_CHUNK = 16;

const PRODUCT_BYTES: usize = (offsetof<Product>() + 63) & ~63;
const THREAD_SCRATCH: usize = STREAMS_SCRATCH + PAIRS_SCRATCH;

/** Products that run at once. */
const MAX_PRODUCTS = 3;

/** Bytes of scratch: | Product[MAX_PRODUCTS] | of each thread: what streams.ts needs | what pairs.ts needs | */
export function matmulScratch(): u64 {
  return PRODUCT_BYTES * MAX_PRODUCTS + <u64>threadCount() * THREAD_SCRATCH;
}

/**
 * Prepares product `index` of those that runProducts() runs next: out f32[tokens][m.rows] = M x, with x the activations (activations.ts)
 * of `tokens` tokens, wide where m.wideInput says so.
 */
export function prepareProduct(index: i32, out: usize, m: Matrix, x: usize, tokens: i32, scratch: usize): void {
  const p = product(scratch, index);
  p.out = out;
  p.m = m;
  p.x = x;
  p.tokens = tokens;
  p.kernels = kernels();
  p.plane = p.kernels & KERNEL_BYTES_UNSIGNED ? PLANE_UNSIGNED : 0;
  p.step = chunkTiles(tiles(m), threadCount(), inStreams(p));
  p.chunks = (tiles(m) + p.step - 1) / p.step;
}

/** Runs the first `count` products. Threads share the rows of all: what is left of one is too little to be waited for. */
export function runProducts(count: i32, scratch: usize): void {
  let chunks = 0;
  for (let i = 0; i < count; i++) chunks += product(scratch, i).chunks;
  setParameter(0, scratch);
  parallelFor(multiplyChunk, chunks);
}

// @ts-ignore: decorator
@inline
function product(scratch: usize, index: i32): Product {
  return changetype<Product>(scratch + PRODUCT_BYTES * index);
}

function tiles(m: Matrix): i32 {
  return (m.rows + TILE_ROWS - 1) / TILE_ROWS;
}

/**
 * Tiles of a chunk, of `tiles` in all: a few chunks for each thread, so that one which is held up costs little. Streams leave few, then as
 * many for each thread: of three, one of two threads would do two.
 */
export function chunkTiles(tiles: i32, threads: i32, inStreams: bool): i32 {
  if (threads == 1) return tiles;
  let chunks = max(min(tiles / (inStreams ? STREAM_CHUNK : 1), threads * CHUNKS_PER_THREAD), 1);
  if (chunks > threads) chunks -= chunks % threads;
  return (tiles + chunks - 1) / chunks;
}

/** Whether tiles go in four streams. */
function inStreams(p: Product): bool {
  if (p.tokens > FEW_TOKENS) return false;
  return (p.kernels & (p.tokens == 1 ? KERNEL_STREAMS_ONE : KERNEL_STREAMS_FEW)) != 0;
}

function multiplyChunk(chunk: i32, thread: i32): void {
  let p = product(parameter(0), 0);
  for (let i = 1; chunk >= p.chunks; i++) {
    chunk -= p.chunks;
    p = product(parameter(0), i);
  }
  const scratch = parameter(0) + PRODUCT_BYTES * MAX_PRODUCTS + <usize>thread * THREAD_SCRATCH;
  const from = chunk * p.step;
  const to = min(from + p.step, tiles(p.m));
  const kernel = streamKernel(p);
  if (p.tokens <= FEW_TOKENS) {
    fewTokens(kernel, p, 0, from, to, inStreams(p), scratch);
    return;
  }
  // A tile stays in the nearest caches while all tokens meet it.
  for (let tile = from; tile < to; tile++) {
    let done = pairTokens(p, tile, scratch + STREAMS_SCRATCH);
    for (; done < p.tokens; done += FEW_TOKENS) fewTokens(kernel, p, done, tile, tile + 1, false, scratch);
  }
}

function streamKernel(p: Product): StreamKernel {
  if (RELAXED && p.narrow) {
    if (p.m.int8) return p.kernels & (KERNEL_BYTES_UNSIGNED | KERNEL_BYTES_SIGNED) ? streamInt8Add : streamInt8;
    return p.kernels & KERNEL_ADD ? streamInt4Add : streamInt4;
  }
  return p.m.int8 ? streamWideInt8 : streamWideInt4;
}

/** target f32[columns] = row `row` of m, dequantized. */
export function dequantizeRow(target: usize, m: Matrix, row: i32): void {
  const groups = m.columns / GROUP;
  const band = <usize>((row % TILE_ROWS) / BAND_ROWS);
  const inTile = 2 * (row % TILE_ROWS); // among a group's scales
  const zero: i32 = m.int8 || m.minimums ? 0 : 8;
  let group = <usize>(row / TILE_ROWS) * groups;
  for (const end = group + groups; group < end; group++) {
    const scale = fromHalf(load<u16>(m.scales + group * scaleBytes(m) + inTile));
    const minimum = m.minimums ? fromHalf(load<u16>(m.minimums + group * SCALE_BYTES_INT4 + inTile)) : -0.0;
    const quants = m.quants + group * groupBytes(m) + band * (groupBytes(m) / 4) + 4 * (row % BAND_ROWS);
    for (let column: usize = 0; column < <usize>GROUP; column++) {
      // layout/tile.ts: which of the row's four bytes, and whether it is in the second vector or the high nibble.
      const byte = ((column & 1) << 1) | ((column >> 2) & 1);
      const second = (column >> 1) & 1;
      const q = m.int8
        ? load<i8>(quants + 32 * (column / 8) + 16 * second + byte)
        : <i32>((load<u8>(quants + 16 * (column / 8) + byte) >> <u8>(4 * second)) & 15) - zero;
      store<f32>(target, <f32>q * scale + minimum);
      target += 4;
    }
  }
}
