// The files of test/fixtures/community: llama.cpp's own types, quantized and evaluated by it (test/oracle/community.mjs made them).

import { createHash } from "node:crypto";

import { SUPERBLOCK } from "../../../assembly/layout/blocks";
import { fixture, NANO } from "../core";

import { encodeTensor, writeGguf } from "./gguf_writer";
import { byteLength, DECODED_TYPES, decode, readRawGguf } from "./reference";

/** The types, and rows that llama.cpp decoded. */
export const COMMUNITY = DECODED_TYPES.map((type) => ({ ...type, ...decodedRows(type) }));

function decodedRows({ name, elements, bytes }: { name: string; elements: number; bytes: number }) {
  const file = fixture(`fixtures/community/blocks/${name}.bin`);
  const count = file.length / (bytes + 4 * elements);
  return { blocks: file.subarray(0, count * bytes), values: floats(file.subarray(count * bytes)) };
}

function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer);
}

interface Golden {
  nano: {
    name: string;
    types: Record<string, number>;
    sha256: string;
    texts: { tokens: number[]; logprobs: number[] }[];
  }[];
  tiny: { tokens: number[] };
}
export const golden: Golden = JSON.parse(fixture("fixtures/community/community.json").toString());

/** A random model quantized by llama.cpp as Q5_K_M, and the logits of golden.tiny.tokens. */
export const tiny = () => fixture("fixtures/community/tiny-Q5_K_M.gguf");
export const tinyLogits = () => floats(fixture("fixtures/community/tiny-Q5_K_M.f32"));

/**
 * zagreus-nano as llama.cpp quantized it. The plain types are encoded here, from the F16 file, as it did; K-quants take a search and come
 * from a fixture.
 * @throws when a byte of a tensor is not llama.cpp's
 */
export function communityNano({ name, types, sha256 }: Golden["nano"][number]): Uint8Array {
  const source = readRawGguf(NANO.F16());
  const hash = createHash("sha256");
  let taken = 0;
  const tensors = Object.entries(types).map(([tensor, type]) => {
    const found = source.tensors.find((candidate) => candidate.name === tensor);
    if (!found) throw new Error(`no ${tensor}`);
    const elements = found.dims.reduce((all, size) => all * size, 1);
    const known = COMMUNITY.some((format) => format.type === type && format.elements === SUPERBLOCK);
    const data = known
      ? fixture(`fixtures/community/nano-${name}.bin`).subarray(taken, taken + byteLength(type, elements))
      : encodeTensor(type, Float32Array.from(decode(found.type, found.data)));
    if (known) taken += data.length;
    hash.update(data);
    return { name: tensor, dims: found.dims, type, data };
  });
  if (hash.digest("hex") !== sha256) throw new Error(`${name}: not what llama.cpp wrote`);
  return writeGguf({ metadata: source.entries, tensors }).bytes;
}
