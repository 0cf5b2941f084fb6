// LoRA adapters (https://arxiv.org/abs/2106.09685) beside the weights: W x + scale * B (A x), for the rows of a batch whose sequence has the
// adapter. A is an int8 matrix like any other and meets the input that W has met, B meets A x with 15 bits.
//
// The plan reserves slots of one size, each with room for the factors of a rank at every site:
//
//     Site[slots][layers][SITES] | factors[slots][layers] | A x f32[3][batch][rank] | the same quantized
//
// factors: of each site the tiles of A, their scales, B (kernels/low_rank.ts).

import { addLowRank, lowActivationBytes, lowRankBytes, quantizeLow } from "../kernels/low_rank";
import { ACTIVATION_LIMIT, activationRow } from "../kernels/matmul/activations";
import { prepareProduct, runProducts } from "../kernels/matmul/matmul";
import { Matrix } from "../kernels/matmul/matrix";
import { RELAXED } from "../kernels/simd";
import { MAX_BATCH } from "../layout/abi";
import { FACTOR_A, MAX_ADAPTERS, SITES } from "../layout/adapters";
import { GROUP } from "../layout/blocks";
import { GROUP_BYTES_INT8, SCALE_BYTES_INT8, TILE_ROWS } from "../layout/tile";
import { carve } from "../runtime/carve";
import { adaptersAddress, STRUCT_BYTES } from "../runtime/memory";
import { parallelFor, parameter, setParameter } from "../runtime/threads";
import { config } from "./config";
import { rowAt } from "./row";
import { recordOverflow, row, run } from "./run_state";
import { siteColumns, siteMatrix, siteRows } from "./weights";

/** Tiles of B that a thread takes at once. */
const CHUNK = 32;

/** What one adapter does to one matrix; behind it the Matrix of A. */
@unmanaged
export class Site {
  rank: i32; // 0: nothing
  scale: f32;
  rows: i32; // of B
  up: usize; // B
}
const SITE_BYTES: usize = offsetof<Site>() + offsetof<Matrix>();

/** Behind it the slots that are taken, in the order of loading, u8[MAX_ADAPTERS]. */
@unmanaged
export class Adapters {
  slots: i32;
  rank: i32; // that each has room for
  count: i32; // that are taken
  sites: usize;
  factors: usize;
  low: usize; // A x
  quantized: usize;
}
const ORDER: usize = offsetof<Adapters>();

// @ts-ignore: decorator
@lazy
export const adapters = changetype<Adapters>(adaptersAddress());
if (ORDER + MAX_ADAPTERS > STRUCT_BYTES) ERROR("Adapters is larger than STRUCT_BYTES");

/** What row `t` of the batch multiplies the adapter of a slot with. */
// @ts-ignore: decorator
@inline
function scaleOf(t: i32, slot: i32): f32 {
  return load<f32>(rowAt(t).sequence.scales + 4 * slot);
}
// @ts-ignore: decorator
@inline
function orderAt(index: i32): usize {
  return changetype<usize>(adapters) + ORDER + index;
}

/** A site of a slot. */
export function siteOf(slot: i32, layer: i32, site: i32): Site {
  return changetype<Site>(adapters.sites + SITE_BYTES * <usize>((slot * config.layers + layer) * SITES + site));
}
// @ts-ignore: decorator
@inline
export function matrixOf(site: Site): Matrix {
  return changetype<Matrix>(changetype<usize>(site) + offsetof<Site>());
}

/** Groups of A in all its tiles. */
function groupsOf(rank: i32, columns: i32): usize {
  return <usize>((rank + TILE_ROWS - 1) / TILE_ROWS) * (columns / GROUP);
}
/** Bytes of the factors of a layer's sites before `end`. */
function bytesBefore(end: i32): usize {
  let bytes: usize = 0;
  for (let site = 0; site < end; site++) {
    bytes += groupsOf(adapters.rank, siteColumns(site)) * (GROUP_BYTES_INT8 + SCALE_BYTES_INT8);
    bytes += lowRankBytes(siteRows(site), adapters.rank);
  }
  return bytes;
}

/** Carves `slots` slots for adapters of up to `rank`; nothing for none. */
export function carveAdapters(slots: i32, rank: i32): void {
  adapters.slots = slots;
  adapters.rank = rank;
  adapters.count = 0;
  if (slots == 0) return;
  adapters.sites = carve(<u64>(slots * config.layers * SITES) * SITE_BYTES);
  adapters.factors = carve(<u64>(slots * config.layers) * bytesBefore(SITES));
  adapters.low = carve(<u64>(3 * 4 * MAX_BATCH) * rank);
  adapters.quantized = carve(3 * MAX_BATCH * lowActivationBytes(rank));
}

/** Takes a slot, in which there is nothing then. */
export function openSlot(slot: i32): void {
  closeSlot(slot);
  store<u8>(orderAt(adapters.count++), <u8>slot);
  memory.fill(changetype<usize>(siteOf(slot, 0, 0)), 0, SITE_BYTES * <usize>(config.layers * SITES));
}

/** Gives a slot back. */
export function closeSlot(slot: i32): void {
  let kept = 0;
  for (let i = 0; i < adapters.count; i++) {
    const other = load<u8>(orderAt(i));
    store<u8>(orderAt(kept), other);
    if (other != <u8>slot) kept++;
  }
  adapters.count = kept;
}

/** Makes room for factors of `rank`, which weigh nothing yet. */
export function prepareSite(slot: i32, layer: i32, index: i32, rank: i32, scale: f32): void {
  const site = siteOf(slot, layer, index);
  const w = siteMatrix(layer, index);
  const groups = groupsOf(rank, w.columns);
  const base = adapters.factors + <usize>(slot * config.layers + layer) * bytesBefore(SITES) + bytesBefore(index);
  const a = matrixOf(site);
  a.rows = rank;
  a.columns = w.columns;
  a.int8 = true;
  a.wideInput = w.wideInput;
  a.quants = base;
  a.scales = base + groups * GROUP_BYTES_INT8;
  site.rank = rank;
  site.scale = scale;
  site.rows = w.rows;
  site.up = a.scales + groups * SCALE_BYTES_INT8;
  memory.fill(base, 0, site.up + lowRankBytes(w.rows, rank) - base);
}

/** Rows and columns of a factor, FACTOR_*, of a site. */
export function factorRows(site: Site, factor: i32): i32 {
  return factor == FACTOR_A ? site.rank : site.rows;
}
export function factorColumns(site: Site, factor: i32): i32 {
  return factor == FACTOR_A ? matrixOf(site).columns : site.rank;
}
/** Adds to out f32[count][rows of the matrix] what adapters change at a site, whose input quantizeInput() has prepared. */
export function adapt(layer: i32, site: i32, out: usize, count: i32): void {
  adapt3(layer, site, out, 0, 0, count);
}
/** The same for two sites that read the same input, the second behind the first. */
export function adapt2(layer: i32, site: i32, out0: usize, out1: usize, count: i32): void {
  adapt3(layer, site, out0, out1, 0, count);
}
/** Three. */
export function adapt3(layer: i32, first: i32, out0: usize, out1: usize, out2: usize, count: i32): void {
  for (let i = 0; i < adapters.count; i++) {
    const slot = <i32>load<u8>(orderAt(i));
    let from = 0;
    while (from < count && scaleOf(from, slot) == 0) from++;
    if (from == count) continue;
    let end = count;
    while (scaleOf(end - 1, slot) == 0) end--;
    // Two tokens share a row of activations.
    from &= ~1;
    const tokens = min((end + 1) & ~1, count) - from;
    const sites = out2 ? 3 : out1 ? 2 : 1;
    if (lower(slot, layer, first, sites, from, tokens)) raise(slot, layer, first, out0, out1, out2, from, tokens);
  }
}

// @ts-ignore: decorator
@inline
function lowOf(index: i32): usize {
  return row(adapters.low, MAX_BATCH * index, adapters.rank);
}
// @ts-ignore: decorator
@inline
function quantizedOf(index: i32, token: i32, rank: i32): usize {
  return (
    adapters.quantized +
    <usize>(MAX_BATCH * index) * lowActivationBytes(adapters.rank) +
    <usize>token * lowActivationBytes(rank)
  );
}

/** A x of the sites that the slot has, quantized; returns whether there are some. */
function lower(slot: i32, layer: i32, first: i32, sites: i32, from: i32, tokens: i32): bool {
  let products = 0;
  for (let i = 0; i < sites; i++) {
    const site = siteOf(slot, layer, first + i);
    if (site.rank == 0) continue;
    const a = matrixOf(site);
    const x = activationRow(run.quantized, from, a.columns, RELAXED && !a.wideInput);
    prepareProduct(products++, lowOf(i), a, x, tokens, run.product);
  }
  if (products == 0) return false;
  runProducts(products, run.product);
  for (let i = 0; i < sites; i++) {
    const rank = siteOf(slot, layer, first + i).rank;
    if (rank == 0) continue;
    for (let t = 0; t < tokens; t++) {
      const largest = quantizeLow(quantizedOf(i, t, rank), rank, row(lowOf(i), t, rank));
      if (!(largest < ACTIVATION_LIMIT)) recordOverflow(from + t, largest);
    }
  }
  return true;
}

/** Adds scale * B (A x) to the outputs, by threads that share the tiles of all sites. */
function raise(slot: i32, layer: i32, first: i32, out0: usize, out1: usize, out2: usize, from: i32, tokens: i32): void {
  let chunks = 0;
  for (let i = 0; i < 3; i++) chunks += chunksOf(siteOf(slot, layer, first + i), i == 0 ? out0 : i == 1 ? out1 : out2);
  setParameter(0, slot);
  setParameter(1, layer);
  setParameter(2, first);
  setParameter(3, out0);
  setParameter(4, out1);
  setParameter(5, out2);
  setParameter(6, from);
  setParameter(7, tokens);
  parallelFor(raiseChunk, chunks);
}

/** Chunks of a site's tiles; none where the slot has nothing there, or the site is not asked for. */
// @ts-ignore: decorator
@inline
function chunksOf(site: Site, out: usize): i32 {
  return out == 0 || site.rank == 0 ? 0 : (site.rows / TILE_ROWS + CHUNK - 1) / CHUNK;
}

function raiseChunk(chunk: i32, _thread: i32): void {
  const slot = <i32>parameter(0);
  let index = 0;
  let site = siteOf(slot, <i32>parameter(1), <i32>parameter(2));
  for (let chunks = chunksOf(site, parameter(3)); chunk >= chunks; chunks = chunksOf(site, parameter(3 + index))) {
    chunk -= chunks;
    index++;
    site = siteOf(slot, <i32>parameter(1), <i32>parameter(2) + index);
  }
  const out = parameter(3 + index);
  const from = <i32>parameter(6);
  const rank = site.rank;
  const end = min((chunk + 1) * CHUNK, site.rows / TILE_ROWS);
  for (let tile = chunk * CHUNK; tile < end; tile++) {
    for (let t = 0; t < <i32>parameter(7); t++) {
      const scale = scaleOf(from + t, slot);
      if (scale == 0) continue;
      addLowRank(row(out, from + t, site.rows), site.up, tile, rank, quantizedOf(index, t, rank), scale * site.scale);
    }
  }
}
