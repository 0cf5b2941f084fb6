// A few tokens. What takes their time is reading the weights, and one stream of them is bound by the latency of memory: the prefetcher runs
// only so far ahead of it, and to the end of its page. So four tiles, a quarter of the rows apart, can go in lockstep, group by group, their
// f32 sums in scratch that stays in the nearest cache. Which is faster depends on the processor (docs/performance.md), so it is measured
// from outside.
//
//     rows     | tile t, t + 1 ...  | t + n ...          | t + 2 n ...        | t + 3 n ...        | the rest, a tile at a time
//     scratch  | Streams | f32[16] of each token | of each token ...

import { GROUP } from "../../layout/blocks";
import { TILE_ROWS } from "../../layout/tile";
import { groupBytes, Matrix, scaleBytes } from "./matrix";
import { addMinimums } from "./minimums";
import { Product } from "./product";
import { clearTiles, storeTile, TILE_SUMS } from "./results";

/** Tokens at most. */
export const FEW_TOKENS = 8;
/** Streams that go together. */
const STREAMS = 4;

/** Tiles that go together: what the kernels (narrow.ts, wide.ts) read and add to. */
@unmanaged
export class Streams {
  columns: i32;
  count: i32; // streams
  quants: usize; // of the first tile
  scales: usize;
  quantsApart: usize; // from a stream's weights to those of the next
  scalesApart: usize;
  x: usize; // activations
  tokens: i32;
  plane: usize; // of activations that meet int8 weights whole
  starts: usize; // Product.starts
  sums: usize; // f32[count][tokens][16]
}
const STREAMS_BYTES: usize = (offsetof<Streams>() + 63) & ~63;
/** Bytes of scratch. */
export const STREAMS_SCRATCH: usize = STREAMS_BYTES + TILE_SUMS * STREAMS * FEW_TOKENS;

/**
 * Columns that go together, of all streams and tokens: a group; of one stream and one token the whole tile, whose sums then stay in
 * registers (a tenth of a decoded token on Zen 4).
 */
// @ts-ignore: decorator
@inline
export function together(s: Streams): usize {
  return s.count == 1 && s.tokens == 1 ? <usize>s.columns : GROUP;
}

export type StreamKernel = (s: Streams) => void;

/** Tiles from..to-1 for up to FEW_TOKENS tokens from `token` on, whose number is even, in four streams as far as there are four tiles. */
export function fewTokens(
  kernel: StreamKernel,
  p: Product,
  token: i32,
  from: i32,
  to: i32,
  four: bool,
  scratch: usize,
): void {
  const s = changetype<Streams>(scratch);
  s.columns = p.m.columns;
  s.x = p.row(token);
  s.tokens = min(p.tokens - token, FEW_TOKENS);
  s.plane = p.plane;
  s.starts = p.starts;
  s.sums = scratch + STREAMS_BYTES;
  const out = p.out + 4 * <usize>(token * p.m.rows);
  const apart = four ? (to - from) / STREAMS : 0;
  for (const end = from + apart; from < end; from++) streams(kernel, s, out, p.m, from, STREAMS, apart);
  if (apart > 0) from += (STREAMS - 1) * apart;
  for (; from < to; from++) streams(kernel, s, out, p.m, from, 1, 0);
}

/** `count` tiles, `tile` the first, `apart` from one another. */
function streams(kernel: StreamKernel, s: Streams, out: usize, m: Matrix, tile: i32, count: i32, apart: i32): void {
  const groups = <usize>(m.columns / GROUP);
  s.count = count;
  s.quants = m.quants + <usize>tile * groups * groupBytes(m);
  s.scales = m.scales + <usize>tile * groups * scaleBytes(m);
  s.quantsApart = <usize>apart * groups * groupBytes(m);
  s.scalesApart = <usize>apart * groups * scaleBytes(m);
  clearTiles(s.sums, count * s.tokens);
  call_indirect<void>(kernel.index, changetype<usize>(s));
  for (let sums = s.sums; count > 0; count--) {
    if (m.minimums) addMinimums(sums, m, tile, s.x, s.tokens);
    storeTile(out, m, tile, sums, s.tokens);
    sums += TILE_SUMS * s.tokens;
    tile += apart;
  }
}
