// Many tokens. The weights of a tile are unpacked once for all of them, a block of groups at a time; then every pair of tokens that shares a
// row (activations.ts) goes over the block, four bands at once: eight sums, two broadcasts and a vector of weights. Scratch is:
//
//     | sums of the tile f32[MAX_BATCH][16] | unpacked block | scales f32[groups][4 bands][4], times 2^-112 | starts i32[groups][4 bands][4] |
//
//     unpacked   narrow int4: u8[groups][8][4 bands][16]     wide: i16[groups][16][4 bands][8]     int8 that meets whole bytes: not at all
//     starts     of the sums of int8 that meets whole bytes

import { KERNEL_ADD, KERNEL_BYTES_SIGNED, KERNEL_BYTES_UNSIGNED, MAX_BATCH } from "../../layout/abi";
import { GROUP } from "../../layout/blocks";
import { BAND_BYTES_INT4, BAND_BYTES_INT8, BAND_SCALE_BYTES, SCALE_BYTES_INT8 } from "../../layout/tile";
import { halvesMask, loadScaledHalves } from "../half";
import { dotAdd, dotNarrow, dotWide, PLANE_HIGH, PLANE_UNSIGNED, RELAXED, xBytes } from "../simd";
import { groupBytes, scaleBytes } from "./matrix";
import { addMinimums } from "./minimums";
import { bias, highNibbles, joinNibbles, nibbleMask, offset, rowSums } from "./narrow";
import { Product } from "./product";
import { addBand, addFloats, clearTiles, storeTile, TILE_SUMS } from "./results";
import { columnPair, pairMask } from "./wide";

/** 1.5 * 2^23: an i32 that counts from its bits on is, read as f32 and less it, its value: one instruction instead of a conversion. */
const MAGIC = 0x4b400000;
// Loaded once a call: V8 would build a constant anew at every use inside a loop.
const MAGICS = memory.data<i32>([MAGIC, MAGIC, MAGIC, MAGIC], 16);

// What a pair of tokens meets
const NIBBLES = 0; // with sums in i16
const NIBBLES_ADD = 1; // in i32
const BYTES_ADD = 2;
const WIDE = 3;
const BYTES = 4; // nibbles of activations: with a sum for each plane there are registers for one token at a time

/** Bytes of a group that is unpacked. */
const NARROW_GROUP = 512;
const WIDE_GROUP = 1024;
/** Groups of a block: half of the nearest cache. */
const NARROW_GROUPS = 32;
const WIDE_GROUPS = 16;

const UNPACKED: usize = TILE_SUMS * MAX_BATCH;
const SCALES: usize = UNPACKED + NARROW_GROUP * NARROW_GROUPS;
const STARTS: usize = SCALES + TILE_SUMS * NARROW_GROUPS;
/** Bytes of scratch. */
export const PAIRS_SCRATCH: usize = STARTS + TILE_SUMS * NARROW_GROUPS;

/** A tile for the tokens that are in pairs; returns how many those are. */
export function pairTokens(p: Product, tile: i32, scratch: usize): i32 {
  const kind = pairKind(p);
  const tokens = p.tokens & ~1;
  const groups = p.m.columns / GROUP;
  const block = kind == WIDE ? WIDE_GROUPS : NARROW_GROUPS;
  clearTiles(scratch, tokens);
  for (let group = 0; group < groups; group += block) {
    const at = <usize>tile * groups + group;
    const quants = p.m.quants + at * groupBytes(p.m);
    const scales = p.m.scales + at * scaleBytes(p.m);
    pairBlock(kind, p, quants, scales, group, min(block, groups - group), scratch);
  }
  if (p.m.minimums) addMinimums(scratch, p.m, tile, p.row(0), tokens);
  storeTile(p.out, p.m, tile, scratch, tokens);
  return tokens;
}

function pairKind(p: Product): i32 {
  if (!RELAXED || !p.narrow) return WIDE;
  if (p.m.int8) return p.kernels & (KERNEL_BYTES_UNSIGNED | KERNEL_BYTES_SIGNED) ? BYTES_ADD : BYTES;
  return p.kernels & KERNEL_ADD ? NIBBLES_ADD : NIBBLES;
}

/** `count` groups of a tile, from `group` on. */
function pairBlock(kind: i32, p: Product, quants: usize, scales: usize, group: i32, count: i32, scratch: usize): void {
  if (kind == WIDE) unpackWide(p.m.int8, scratch + UNPACKED, quants, count);
  else if (!p.m.int8) unpackNibbles(scratch + UNPACKED, quants, count);
  unpackScales(scratch + SCALES, scales, scaleBytes(p.m), count);
  if (kind == BYTES_ADD) unpackStarts(scratch + STARTS, scales, p.plane, MAGIC, count);
  if (kind == BYTES) unpackStarts(scratch + STARTS, scales, PLANE_UNSIGNED, 0, count);
  const columns = <usize>p.m.columns;
  const plane = kind == BYTES ? PLANE_HIGH : kind == BYTES_ADD ? p.plane : 0;
  const x: usize = 2 * plane * columns + group * (kind == WIDE ? 4 * GROUP : 2 * GROUP);
  const xScales: usize = 2 * (xBytes(kind != WIDE) * columns + p.starts) + 16 * group;
  for (let t = 0; t + 1 < p.tokens; t += 2) {
    const sums = scratch + TILE_SUMS * t;
    const row = p.row(t);
    if (!RELAXED || kind == WIDE) pairWide(sums, scratch, row + x, row + xScales, count, !p.m.int8);
    else if (kind == NIBBLES) pairNibbles(sums, scratch, row + x, row + xScales, count);
    else if (kind == NIBBLES_ADD) pairNibblesAdd(sums, scratch, row + x, row + xScales, count);
    else if (kind == BYTES) pairBytes(sums, scratch, quants, row + x, 2 * columns, row + xScales, count);
    else pairBytesAdd(sums, scratch, quants, row + x, row + xScales, count);
  }
}

function unpackNibbles(target: usize, quants: usize, groups: i32): void {
  const mask = nibbleMask();
  for (; groups > 0; groups--) {
    for (const end = quants + BAND_BYTES_INT4; quants < end; quants += 16) {
      const a = v128.load(quants);
      const b = v128.load(quants, BAND_BYTES_INT4);
      const c = v128.load(quants, 2 * BAND_BYTES_INT4);
      const d = v128.load(quants, 3 * BAND_BYTES_INT4);
      v128.store(target, v128.and(a, mask));
      v128.store(target, v128.and(b, mask), 16);
      v128.store(target, v128.and(c, mask), 32);
      v128.store(target, v128.and(d, mask), 48);
      v128.store(target, highNibbles(a, mask), 64);
      v128.store(target, highNibbles(b, mask), 80);
      v128.store(target, highNibbles(c, mask), 96);
      v128.store(target, highNibbles(d, mask), 112);
      target += 128;
    }
    quants += 3 * BAND_BYTES_INT4;
  }
}

function unpackWide(int8: bool, target: usize, quants: usize, groups: i32): void {
  const mask = pairMask();
  const vector: usize = int8 ? 32 : 16; // of eight columns
  for (const end = target + WIDE_GROUP * groups; target < end; target += WIDE_GROUP) {
    for (let band: usize = 0; band < 64; band += 16) {
      let at = target + band;
      for (const last = at + WIDE_GROUP; at < last; at += WIDE_GROUP / 4) {
        const first = v128.load(quants);
        const second = int8 ? v128.load(quants, 16) : first;
        v128.store(at, columnPair(int8, first, second, 0, mask));
        v128.store(at, columnPair(int8, first, second, 1, mask), 64);
        v128.store(at, columnPair(int8, first, second, 2, mask), 128);
        v128.store(at, columnPair(int8, first, second, 3, mask), 192);
        quants += vector;
      }
    }
  }
}

function unpackScales(target: usize, scales: usize, bytes: usize, groups: i32): void {
  const mask = halvesMask();
  for (const end = target + TILE_SUMS * groups; target < end; target += TILE_SUMS) {
    v128.store(target, loadScaledHalves(scales, mask));
    v128.store(target, loadScaledHalves(scales + BAND_SCALE_BYTES, mask), 16);
    v128.store(target, loadScaledHalves(scales + 2 * BAND_SCALE_BYTES, mask), 32);
    v128.store(target, loadScaledHalves(scales + 3 * BAND_SCALE_BYTES, mask), 48);
    scales += bytes;
  }
}

function unpackStarts(target: usize, scales: usize, plane: usize, start: i32, groups: i32): void {
  const magic = i32x4.splat(start);
  for (const end = target + TILE_SUMS * groups; target < end; target += TILE_SUMS) {
    v128.store(target, i32x4.add(magic, offset(plane, scales)));
    v128.store(target, i32x4.add(magic, offset(plane, scales + BAND_SCALE_BYTES)), 16);
    v128.store(target, i32x4.add(magic, offset(plane, scales + 2 * BAND_SCALE_BYTES)), 32);
    v128.store(target, i32x4.add(magic, offset(plane, scales + 3 * BAND_SCALE_BYTES)), 48);
    scales += SCALE_BYTES_INT8;
  }
}

function pairNibbles(sums: usize, scratch: usize, x: usize, xScales: usize, groups: i32): void {
  twoTokens(NIBBLES, sums, scratch, scratch + UNPACKED, x, xScales, groups, true);
}
function pairNibblesAdd(sums: usize, scratch: usize, x: usize, xScales: usize, groups: i32): void {
  twoTokens(NIBBLES_ADD, sums, scratch, scratch + UNPACKED, x, xScales, groups, true);
}
function pairBytesAdd(sums: usize, scratch: usize, quants: usize, x: usize, xScales: usize, groups: i32): void {
  twoTokens(BYTES_ADD, sums, scratch, quants, x, xScales, groups, false);
}
function pairWide(sums: usize, scratch: usize, x: usize, xScales: usize, groups: i32, biased: bool): void {
  twoTokens(WIDE, sums, scratch, scratch + UNPACKED, x, xScales, groups, biased);
}

/** The same of int8 weights and nibbles of activations, whose planes are `plane` bytes long: one token, then the other. */
function pairBytes(
  sums: usize,
  scratch: usize,
  quants: usize,
  high: usize,
  plane: usize,
  xScales: usize,
  groups: i32,
): void {
  for (let token: usize = 0; token < 2; token++) {
    oneToken(sums + TILE_SUMS * token, scratch, quants, high + 4 * token, plane, xScales + 8 * token, groups);
  }
}

function oneToken(sums: usize, scratch: usize, w: usize, high: usize, plane: usize, xScale: usize, groups: i32): void {
  for (let scales = scratch + SCALES; groups > 0; groups--) {
    let a = i16x8.splat(0);
    let b = a;
    let c = a;
    let d = a;
    let e = a;
    let f = a;
    let g = a;
    let i = a;
    for (const end = w + BAND_BYTES_INT8; w < end; w += 16) {
      const h = v128.load32_splat(high);
      const l = v128.load32_splat(high + plane);
      let v = v128.load(w);
      a = dotNarrow(a, v, h);
      e = dotNarrow(e, v, l);
      v = v128.load(w, BAND_BYTES_INT8);
      b = dotNarrow(b, v, h);
      f = dotNarrow(f, v, l);
      v = v128.load(w, 2 * BAND_BYTES_INT8);
      c = dotNarrow(c, v, h);
      g = dotNarrow(g, v, l);
      v = v128.load(w, 3 * BAND_BYTES_INT8);
      d = dotNarrow(d, v, h);
      i = dotNarrow(i, v, l);
      high += 8;
    }
    w += 3 * BAND_BYTES_INT8;
    const s = v128.load32_splat(xScale);
    const starts = scales + (STARTS - SCALES);
    addBand(sums, i32x4.add(joinNibbles(a, e), v128.load(starts)), v128.load(scales), s);
    addBand(sums + 16, i32x4.add(joinNibbles(b, f), v128.load(starts, 16)), v128.load(scales, 16), s);
    addBand(sums + 32, i32x4.add(joinNibbles(c, g), v128.load(starts, 32)), v128.load(scales, 32), s);
    addBand(sums + 48, i32x4.add(joinNibbles(d, i), v128.load(starts, 48)), v128.load(scales, 48), s);
    scales += TILE_SUMS;
    xScale += 16;
  }
}

/** sums f32[2][16] += `groups` groups of a tile, of weights at `w`, for the pair whose activations are at `x`. */
// @ts-ignore: decorator
@inline
function twoTokens(
  kind: i32,
  sums: usize,
  scratch: usize,
  w: usize,
  x: usize,
  xScales: usize,
  groups: i32,
  biased: bool,
): void {
  const add = kind == NIBBLES_ADD || kind == BYTES_ADD;
  const band: usize = kind == BYTES_ADD ? <usize>BAND_BYTES_INT8 : 16; // from the weights of a band to the next one's
  const row: usize = 2 * GROUP * (kind == WIDE ? 2 : 1);
  const magic = v128.load(MAGICS);
  for (let scales = scratch + SCALES; groups > 0; groups--) {
    let a0: v128;
    let a1: v128;
    let b0: v128;
    let b1: v128;
    let c0: v128;
    let c1: v128;
    let d0: v128;
    let d1: v128;
    if (kind == BYTES_ADD) {
      const starts = scales + (STARTS - SCALES);
      a0 = v128.load(starts);
      b0 = v128.load(starts, 16);
      c0 = v128.load(starts, 32);
      d0 = v128.load(starts, 48);
      a1 = a0;
      b1 = b0;
      c1 = c0;
      d1 = d0;
    } else {
      if (kind == WIDE) {
        a0 = biased ? v128.load32_splat(xScales, 4) : i32x4.splat(0);
        a1 = biased ? v128.load32_splat(xScales, 12) : i32x4.splat(0);
      } else {
        a0 = bias(add, xScales);
        a1 = bias(add, xScales + 8);
      }
      if (add) {
        a0 = i32x4.add(a0, magic);
        a1 = i32x4.add(a1, magic);
      }
      b0 = a0;
      b1 = a1;
      c0 = a0;
      c1 = a1;
      d0 = a0;
      d1 = a1;
    }
    // A loop, because V8 reorders straight code and spills.
    for (const end = x + row; x < end; x += 8) {
      const p = v128.load32_splat(x);
      const q = v128.load32_splat(x, 4);
      let v = v128.load(w);
      a0 = dot(kind, a0, p, v);
      a1 = dot(kind, a1, q, v);
      v = v128.load(w + band);
      b0 = dot(kind, b0, p, v);
      b1 = dot(kind, b1, q, v);
      v = v128.load(w + 2 * band);
      c0 = dot(kind, c0, p, v);
      c1 = dot(kind, c1, q, v);
      v = v128.load(w + 3 * band);
      d0 = dot(kind, d0, p, v);
      d1 = dot(kind, d1, q, v);
      w += kind == BYTES_ADD ? 16 : 64;
    }
    if (kind == BYTES_ADD) w += 3 * BAND_BYTES_INT8;
    const s0 = v128.load32_splat(xScales);
    const s1 = v128.load32_splat(xScales, 8);
    let scale = v128.load(scales);
    addPair(kind, sums, a0, a1, scale, s0, s1, magic);
    scale = v128.load(scales, 16);
    addPair(kind, sums + 16, b0, b1, scale, s0, s1, magic);
    scale = v128.load(scales, 32);
    addPair(kind, sums + 32, c0, c1, scale, s0, s1, magic);
    scale = v128.load(scales, 48);
    addPair(kind, sums + 48, d0, d1, scale, s0, s1, magic);
    scales += TILE_SUMS;
    xScales += 16;
  }
}

/** acc + four bytes of activations, in every lane, against weights. */
// @ts-ignore: decorator
@inline
function dot(kind: i32, acc: v128, x: v128, weights: v128): v128 {
  if (!RELAXED || kind == WIDE) return dotWide(acc, weights, x);
  if (kind == NIBBLES) return dotNarrow(acc, x, weights);
  return kind == NIBBLES_ADD ? dotAdd(acc, x, weights) : dotAdd(acc, weights, x);
}

// @ts-ignore: decorator
@inline
function addPair(kind: i32, sums: usize, dots0: v128, dots1: v128, scale: v128, s0: v128, s1: v128, magic: v128): void {
  if (kind == NIBBLES_ADD || kind == BYTES_ADD) {
    addFloats(sums, f32x4.sub(dots0, magic), scale, s0);
    addFloats(sums + TILE_SUMS, f32x4.sub(dots1, magic), scale, s1);
  } else {
    addBand(sums, kind == NIBBLES ? rowSums(dots0) : dots0, scale, s0);
    addBand(sums + TILE_SUMS, kind == NIBBLES ? rowSums(dots1) : dots1, scale, s1);
  }
}
