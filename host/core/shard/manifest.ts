// Which pieces of a model (load/pieces.ts) each of its parts needs. `zagreus shard` writes it as shards.json, beside manifest.json.

import type { KvType } from "../api/api.js";
import { ZagreusError } from "../api/errors.js";
import { isObject, parseJson } from "../api/json.js";
import { KV_TYPES } from "../api/names.js";
import { joinPieces, type Manifest, type PieceReader } from "../load/pieces.js";

export const SHARDS = "shards.json";

export interface PartPieces {
  /** Layers first..end - 1; absent for the edge. */
  layers?: readonly [first: number, end: number];
  /** Indices of pieces, in their order. What lies between is another part's. */
  pieces: readonly number[];
  /** Bytes of linear memory. */
  memory: number;
  /** Of them, for pages of KV besides those of one context: the option of loadShard(). */
  cacheBudget: number;
}

export interface ShardsManifest {
  /** Of the whole file. */
  sha256: string;
  contextLength: number;
  kvType: KvType;
  sequences: number;
  /** The edge, then the shards in the order of their layers. */
  parts: readonly PartPieces[];
}

/** @throws ZagreusError BAD_JSON with the field that is not what it must be */
export function parseShards(text: string, { sha256, pieces }: Manifest): ShardsManifest {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw new ZagreusError("BAD_JSON", `${SHARDS} is no JSON`, { field: SHARDS, cause });
  }
  check("all of it", value, isObject(value), "an object");
  const manifest = value as unknown as ShardsManifest;
  check("sha256", manifest.sha256, manifest.sha256 === sha256, `${sha256}, that of the model beside it`);
  for (const field of ["contextLength", "sequences"] as const)
    check(
      field,
      manifest[field],
      Number.isSafeInteger(manifest[field]) && manifest[field] > 0,
      "an integer of at least 1",
    );
  const kvTypes = Object.keys(KV_TYPES);
  check("kvType", manifest.kvType, kvTypes.includes(manifest.kvType), kvTypes.join(", "));
  const { parts } = manifest;
  check("parts", parts, Array.isArray(parts) && parts.length > 1, "a list of at least two");
  let next = 0;
  for (const [i, part] of parts.entries()) {
    check(`parts[${i}]`, part, isObject(part) && Array.isArray(part.pieces), "an object with a list of pieces");
    const [first, end] = part.layers ?? [];
    const follows = i === 0 ? part.layers === undefined : first === next && Number.isSafeInteger(end) && end! > next;
    check(`parts[${i}].layers`, part.layers, follows, i === 0 ? "left out" : `[${next}, more]`);
    if (i > 0) next = end!;
    part.pieces.forEach((piece, at) => {
      const isNext = Number.isInteger(piece) && piece > (part.pieces[at - 1] ?? -1) && piece < pieces.length;
      check(`parts[${i}].pieces[${at}]`, piece, isNext, `the index of one of ${pieces.length} pieces, in their order`);
    });
  }
  return manifest;
}

const ZEROS = new Uint8Array(2 ** 18);

/**
 * The file as one of its parts needs it: its own pieces, each checked while it passes by, and zeros for what is another's.
 * @throws ZagreusError while it is read as joinPieces() does
 */
export async function* partBytes(
  { pieces }: Manifest,
  { pieces: own }: Pick<PartPieces, "pieces">,
  reader: PieceReader,
): AsyncGenerator<Uint8Array> {
  const wanted = new Set(own);
  for (const [index, piece] of pieces.entries()) {
    if (wanted.has(index)) {
      yield* joinPieces({ name: "", sha256: "", bytes: piece.bytes, pieces: [piece] }, reader).chunks;
      continue;
    }
    for (let left = piece.bytes; left > 0; left -= ZEROS.length) yield ZEROS.subarray(0, left);
  }
}

function check(field: string, value: unknown, right: boolean, expected: string): void {
  if (right) return;
  const message = `${SHARDS}: ${field} is ${JSON.stringify(value)?.slice(0, 60)}, must be ${expected}`;
  throw new ZagreusError("BAD_JSON", message, { field, value, expected });
}
