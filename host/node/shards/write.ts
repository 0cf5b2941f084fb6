// Writes a model in pieces that each belong to a part: manifest.json, as of split(), and shards.json.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { TensorInfo } from "../../core/api/api.js";
import { ownerOf } from "../../core/shard/cut.js";
import { SHARDS, type ShardsManifest } from "../../core/shard/manifest.js";
import { writeAtomically } from "../files/output_file.js";
import type { Source } from "../source.js";
import { type SplitOptions, split } from "../split.js";
import { type PlannedPart, type PlanOptions, planShards } from "./plan.js";

export interface WriteShardsOptions extends PlanOptions, Omit<SplitOptions, "pieceBytes"> {
  /** Bytes of a piece at most. */
  pieceBytes: number;
}

/** Neighbouring bytes of the file, and the parts that need them. */
interface Span {
  end: number;
  parts: readonly number[];
}

/**
 * Plans the cut, and writes pieces, manifest.json and then shards.json to `directory`.
 * @throws ZagreusError as planShards() and split() do
 */
export async function writeShards(source: Source, directory: string, options: WriteShardsOptions) {
  const { info, parts } = await planShards(source, options);
  const { contextLength, sequences, kvType, pieceBytes } = options;
  const spans = spansOf(info.tensors, parts, info.fileBytes);
  await rm(join(directory, SHARDS), { force: true }); // it has none without its pieces
  const spanAt = (offset: number) => spans.find(({ end }) => offset < end) ?? spans.at(-1)!;
  const bytesAt = (offset: number) => Math.max(Math.min(pieceBytes, spanAt(offset).end - offset), 1);
  const manifest = await split(source, directory, { ...options, pieceBytes: bytesAt });
  let offset = 0;
  const needs = manifest.pieces.map(({ bytes }) => {
    const needed = spanAt(offset).parts;
    offset += bytes;
    return needed;
  });
  const shards: ShardsManifest = {
    ...{ sha256: manifest.sha256, contextLength, kvType, sequences },
    parts: parts.map(({ total: _, ...part }, i) => {
      return { ...part, pieces: needs.flatMap((needed, piece) => (needed.includes(i) ? [piece] : [])) };
    }),
  };
  const text = `${JSON.stringify(shards, null, 2)}\n`;
  await writeAtomically(join(directory, SHARDS), (sink) => sink(Buffer.from(text)));
  return { manifest, shards, parts };
}

/** The header is everybody's; padding goes with the tensor in front of it. */
function spansOf(tensors: readonly TensorInfo[], parts: readonly PlannedPart[], fileBytes: number): Span[] {
  const everybody = parts.map((_, i) => i);
  const partsOf = (name: string) => {
    const owner = ownerOf(name);
    if (owner === "all") return everybody;
    if (owner === "edge") return [0];
    return [parts.findIndex(({ layers }) => layers && owner >= layers[0] && owner < layers[1])];
  };
  const spans: Span[] = [{ end: tensors[0]?.offset ?? fileBytes, parts: everybody }];
  tensors.forEach(({ name }, i) => {
    const end = tensors[i + 1]?.offset ?? fileBytes;
    const needed = partsOf(name);
    const last = spans.at(-1)!;
    if (`${last.parts}` === `${needed}`) last.end = end;
    else spans.push({ end, parts: needed });
  });
  return spans;
}
