// An adapter (LoRA) in the one form that all readers give: y = W x + scale * B (A x), for some of the matrices W of the layers.

import type { ModelInfo } from "../api/api.js";
import { type ErrorDetails, ZagreusError } from "../api/errors.js";
import { Sha256 } from "../api/sha256.js";

/** The matrices of a layer that adapters change, by GGUF's names. */
export const SITES = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"] as const;
export type SiteName = (typeof SITES)[number];

/** Of A, and of B. */
export const MAX_RANK = 512;

/** What it does to one matrix. Rows of B are in GGUF's order. */
export interface Factors {
  layer: number;
  site: SiteName;
  rank: number;
  /** alpha / rank, or what the adapter says instead. */
  scale: number;
  /** [rank][columns of W] */
  a: Float32Array;
  /** [rows of W][rank] */
  b: Float32Array;
}

export interface Adapter {
  /** What it says that it is called. */
  name: string | undefined;
  /** The largest of its ranks. */
  rank: number;
  /** By layers, in each in the order of SITES. */
  factors: Factors[];
  /** SHA-256 of all that has an effect: equal for the same values in another file format. */
  hash: string;
}

/** What of a model an adapter must fit. */
export type Base = Pick<
  ModelInfo,
  "architecture" | "layers" | "hidden" | "intermediate" | "heads" | "kvHeads" | "headSize"
>;

/** Rows and columns of a matrix of the base. */
export function shapeOf(
  { hidden, intermediate, heads, kvHeads, headSize }: Base,
  site: SiteName,
): { rows: number; columns: number } {
  const queries = heads * headSize;
  switch (site) {
    case "attn_q":
      return { rows: queries, columns: hidden };
    case "attn_k":
    case "attn_v":
      return { rows: kvHeads * headSize, columns: hidden };
    case "attn_output":
      return { rows: hidden, columns: queries };
    case "ffn_down":
      return { rows: hidden, columns: intermediate };
    default:
      return { rows: intermediate, columns: hidden };
  }
}

/** Factors of a file, its tensors by what they are called in it. */
export interface NamedFactors {
  layer: number;
  site: SiteName;
  a?: NamedTensor;
  b?: NamedTensor;
}
export interface NamedTensor {
  name: string;
  /** Rows first. */
  shape: readonly number[];
}

/**
 * The rank of a pair, checked against the base.
 * @throws ZagreusError BAD_ADAPTER for half a pair, or ranks that contradict each other; FOREIGN_ADAPTER for shapes of another base
 */
export function checkFactors(
  file: string,
  base: Base,
  { layer, site, a, b }: NamedFactors,
): { a: NamedTensor; b: NamedTensor; rank: number } {
  const one = (a ?? b)!;
  if (layer >= base.layers) {
    const range = `0 to ${base.layers - 1}`;
    throw foreignAdapter(file, one.name, `is of layer ${layer}, the model has ${range}`, {
      value: layer,
      expected: range,
    });
  }
  if (!a || !b) throw badAdapter(file, one.name, `has no ${a ? "lora_B (lora_b)" : "lora_A (lora_a)"} beside it`);
  const { rows, columns } = shapeOf(base, site);
  for (const { name, shape } of [a, b]) {
    if (shape.length !== 2) {
      throw badAdapter(file, name, `has ${shape.length} dimensions, must have 2`, { value: shape.length, expected: 2 });
    }
  }
  const [rank, inputs] = a.shape as [number, number];
  const [outputs, other] = b.shape as [number, number];
  const shown = (shape: readonly number[]) => shape.join(" x ");
  if (inputs !== columns) {
    const reason = `is ${shown(a.shape)}, the model's ${site} has rows of ${columns}`;
    throw foreignAdapter(file, a.name, reason, { value: inputs, expected: columns });
  }
  if (outputs !== rows) {
    const reason = `is ${shown(b.shape)}, the model's ${site} has ${rows} rows`;
    throw foreignAdapter(file, b.name, reason, { value: outputs, expected: rows });
  }
  if (rank !== other) {
    const reason = `is ${shown(b.shape)}, "${a.name}" has rank ${rank}`;
    throw badAdapter(file, b.name, reason, { value: other, expected: rank });
  }
  if (rank < 1 || rank > MAX_RANK) {
    const reason = `has rank ${rank}, must be 1 to ${MAX_RANK}`;
    throw badAdapter(file, a.name, reason, { value: rank, expected: MAX_RANK });
  }
  return { a, b, rank };
}

/** Puts factors into order, and names them by their content. @throws ZagreusError BAD_ADAPTER where there are none */
export function makeAdapter(file: string, name: string | undefined, factors: readonly Factors[]): Adapter {
  if (factors.length === 0) throw badAdapter(file, "tensors", "are missing: there is not one pair of factors");
  const bad = factors.find(({ scale }) => !Number.isFinite(Math.fround(scale)));
  if (bad) throw badAdapter(file, "alpha", `makes a scale of ${bad.scale}, must be finite`, { value: bad.scale });
  const place = ({ layer, site }: Factors) => layer * SITES.length + SITES.indexOf(site);
  const ordered = [...factors].sort((one, other) => place(one) - place(other));
  const rank = Math.max(...ordered.map((pair) => pair.rank));
  return { name, rank, factors: ordered, hash: hashOf(ordered, place) };
}

function hashOf(factors: readonly Factors[], place: (factors: Factors) => number): string {
  const hash = new Sha256();
  for (const pair of factors) {
    const head = new DataView(new ArrayBuffer(12));
    head.setUint32(0, place(pair), true);
    head.setUint32(4, pair.rank, true);
    head.setFloat32(8, pair.scale, true);
    hash.update(new Uint8Array(head.buffer));
    for (const { buffer, byteOffset, byteLength } of [pair.a, pair.b]) {
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    }
  }
  return hash.digest();
}

/** BAD_ADAPTER for what is wrong with `field`, a key or a tensor, or cannot be done here. */
export function badAdapter(file: string, field: string, reason: string, details: ErrorDetails = {}): ZagreusError {
  return new ZagreusError("BAD_ADAPTER", `${file}: "${field}" ${reason}`, { field, ...details });
}

/** FOREIGN_ADAPTER for what is of another model. */
export function foreignAdapter(file: string, field: string, reason: string, details: ErrorDetails): ZagreusError {
  return new ZagreusError("FOREIGN_ADAPTER", `${file}: "${field}" ${reason}: the adapter was made for another model`, {
    field,
    ...details,
  });
}
