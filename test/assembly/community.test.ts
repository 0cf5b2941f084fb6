// The types that only llama.cpp writes: decoded as it decodes them, packed, and whole models that answer as its own do.

import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { KV_F32, KV_INT8, TENSOR_DESTINATION, TENSOR_NAME, TENSOR_NAME_LENGTH } from "../../assembly/layout/abi";
import { GROUP, SUPERBLOCK, TYPE_Q4_1, TYPE_Q4_K, TYPE_Q5_0, TYPE_Q8_0 } from "../../assembly/layout/blocks";
import { compile } from "../support/compile";
import { Core } from "../support/core";
import { COMMUNITY, communityNano, golden, tiny, tinyLogits } from "../support/models/community";
import { encodeTensor, type GgufFile, tinyModel, writeGguf } from "../support/models/gguf_writer";
import { decode, decodePackedQ4K, divergence, largest, logSumExp } from "../support/models/reference";
import { BASELINE, VARIANTS } from "../support/variants";

const DECODED = COMMUNITY.filter(({ type }) => ![TYPE_Q4_1, TYPE_Q4_K, TYPE_Q5_0].includes(type)); // these go into tiles as they are

describe("decoded to f32", () => {
  let decodeInCore: (type: number, blocks: Uint8Array, bytes: number, elements: number) => Float32Array;

  beforeAll(async () => {
    const options = ["--runtime", "stub", "--enable", "simd", "--initialMemory", "1", "--use", "abort="];
    const { binary } = await compile("assembly/gguf/blocks.ts", ...options);
    const { instance } = await WebAssembly.instantiate(binary);
    const { memory, dequantize } = instance.exports as {
      memory: WebAssembly.Memory;
      dequantize(type: number, source: number, target: number): void;
    };
    const [source, target] = [1024, 4096];
    decodeInCore = (type, blocks, bytes, elements) => {
      const out = new Float32Array((blocks.length / bytes) * elements);
      for (let i = 0; i * bytes < blocks.length; i++) {
        new Uint8Array(memory.buffer, source, bytes).set(blocks.subarray(i * bytes, (i + 1) * bytes));
        dequantize(type, source, target);
        out.set(new Float32Array(memory.buffer, target, elements), i * elements);
      }
      return out;
    };
  });

  it.each(DECODED)("$name: llama.cpp's bits", ({ type, blocks, values, bytes, elements }) => {
    expect(values.length).toBeGreaterThan(16 * SUPERBLOCK);
    expectSameBits(decodeInCore(type, blocks, bytes, elements), values);
  });

  it.each(DECODED)("$name: any block", ({ type, bytes, elements, halves }) => {
    const block = fc.uint8Array({ minLength: bytes, maxLength: bytes });
    fc.assert(
      fc.property(block, fc.array(finiteHalf, { minLength: 2, maxLength: 2 }), (block, values) => {
        halves.forEach((at, i) => {
          block.set(values[i]!, at);
        });
        expectSameBits(decodeInCore(type, block, bytes, elements), Float32Array.from(decode(type, block)));
      }),
    );
  });

  it.each(DECODED)("$name: what is not finite stays so", ({ type, bytes, elements, halves }) => {
    for (const at of halves) {
      for (const half of [0x7c00, 0xfc00, 0x7c01, 0x7e00, 0xffff]) {
        const block = new Uint8Array(bytes);
        block.set([half & 255, half >> 8], at);
        expect(decodeInCore(type, block, bytes, elements).some(Number.isFinite)).toBe(false);
      }
    }
  });
});

it.each(COMMUNITY)("the tests' reference decodes $name as llama.cpp does", ({ type, blocks, values }) => {
  expectSameBits(Float32Array.from(decode(type, blocks)), values);
});

/** What the core has instead of a row's numbers. */
function packedRow(type: number, { block, values }: { block: Uint8Array; values: Float32Array }): Float32Array {
  if (type === TYPE_Q4_K) return Float32Array.from(decodePackedQ4K(block));
  if (type === TYPE_Q4_1 || type === TYPE_Q5_0) return values;
  return Float32Array.from(decode(TYPE_Q8_0, encodeTensor(TYPE_Q8_0, values)));
}

describe.each(VARIANTS)("packed: $name", (variant) => {
  it.each(COMMUNITY)("$name", ({ type, blocks, values, bytes, elements }) => {
    // Rows of 256 as the query matrix, those left out whose scale would be beyond f16.
    const rows = Array.from({ length: values.length / SUPERBLOCK }, (_, row) => {
      const rowBytes = (SUPERBLOCK / elements) * bytes;
      return {
        block: blocks.subarray(row * rowBytes, (row + 1) * rowBytes),
        values: values.subarray(row * SUPERBLOCK, (row + 1) * SUPERBLOCK),
      };
    }).filter(
      (row) => packedRow(type, row).every(Number.isFinite) && row.values.every((x) => Math.abs(x) < 65504 * 127),
    );
    expect(rows.length).toBeGreaterThan(12);
    const cycled = Array.from({ length: SUPERBLOCK }, (_, row) => rows[row % rows.length]!);
    const file = tinyModel(WIDE);
    const query = file.tensors.find(({ name }) => name === QUERY)!;
    Object.assign(query, { type, data: Buffer.concat(cycled.map((row) => row.block)) });

    const core = new Core(variant).open(writeGguf(file).bytes, { chunks: [65521, 1, 100, 209] });
    const packed = unpack(core, QUERY);
    cycled.forEach((row, index) => {
      const expected = packedRow(type, row);
      const ours = packed.subarray(index * SUPERBLOCK, (index + 1) * SUPERBLOCK);
      expect(
        ours.findIndex((value, i) => value !== expected[i]),
        `row ${index}`,
      ).toBe(-1);
    });
  });

  it("a model of K-quants has llama.cpp's logits", () => {
    const { tokens } = golden.tiny;
    const theirs = tinyLogits();
    const vocabulary = theirs.length / tokens.length;
    for (const kvType of [KV_F32, KV_INT8]) {
      const rows = new Core(variant).open(tiny(), { kvType }).logits(tokens);
      let kl = 0;
      rows.forEach((row, i) => {
        const expected = theirs.subarray(i * vocabulary, (i + 1) * vocabulary);
        kl += divergence(expected, row) / rows.length;
        const [first, second] = largest(expected, 2) as [number, number];
        if (expected[first]! - expected[second]! > CLOSE) expect(largest(row, 1)[0], `position ${i}`).toBe(first);
      });
      console.log(`${variant.name} tiny Q5_K_M, KV ${kvType}: mean KL ${kl.toExponential(1)}`);
      expect(kl).toBeLessThan(kvType === KV_F32 ? 1e-3 : 3e-3);
    }
  });

  it.each(golden.nano)("zagreus-nano $name gives texts llama.cpp's probabilities", (nano) => {
    const core = new Core(variant).open(communityNano(nano));
    for (const { tokens, logprobs } of nano.texts) {
      const rows = core.logits(tokens.slice(0, -1));
      const ours = rows.map((row, i) => row[tokens[i + 1]!]! - logSumExp(row));
      const errors = ours.map((value, i) => value - logprobs[i]!);
      const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
      const deviation = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
      console.log(`${variant.name} nano ${nano.name}: log p differs by ${mean.toFixed(4)} +- ${deviation.toFixed(4)}`);
      expect(Math.abs(mean)).toBeLessThan(0.005);
      expect(deviation).toBeLessThan(0.1);
    }
  });

  it("a file of K-quants fed in chunks of any size is the same model", () => {
    const core = new Core(variant).open(tiny());
    const hash = core.exports.modelHash();
    for (const size of [13, 175, 176, 177, 209, 210, 211, 65521]) {
      core.open(tiny(), { chunks: [size] });
      expect(core.exports.modelHash(), `chunks of ${size}`).toBe(hash);
    }
  });
});

it("every build has the baseline's logits", () => {
  const file = communityNano(golden.nano.at(-1)!);
  const answer = new Core(BASELINE[0]!).open(file).fingerprint();
  for (const variant of VARIANTS) expect(new Core(variant).open(file).fingerprint(), variant.name).toBe(answer);
});

it("Q5_0 is the same model as the same integers in Q8_0", () => {
  const file = tinyModel({ types: TYPE_Q5_0 });
  const core = new Core(BASELINE[0]!).open(writeGguf(file).bytes);
  const [hash, answer] = [core.exports.modelHash(), core.fingerprint()];
  const asQ8 = (tensor: GgufFile["tensors"][number]) => {
    if (tensor.type !== TYPE_Q5_0) return tensor;
    const values = decode(TYPE_Q5_0, tensor.data);
    const out = new Uint8Array((values.length / GROUP) * 34);
    for (let g = 0; g < values.length / GROUP; g++) {
      const half = tensor.data.subarray(22 * g, 22 * g + 2);
      const d = decode(1, half)[0]!;
      out.set(half, 34 * g);
      for (let i = 0; i < GROUP; i++) out[34 * g + 2 + i] = d ? values[GROUP * g + i]! / d : 0;
    }
    return { ...tensor, type: TYPE_Q8_0, data: out };
  };
  core.open(writeGguf({ ...file, tensors: file.tensors.map(asQ8) }).bytes);
  expect(core.exports.modelHash()).toBe(hash);
  expect(core.fingerprint()).toBe(answer);
});

const WIDE = { layers: 1, heads: 4, headSize: 64, ffn: 32 };
const QUERY = "blk.0.attn_q.weight";
/** Two logits of llama.cpp closer than this may change places. */
const CLOSE = 0.15;

const finiteHalf = fc
  .integer({ min: 0, max: 0xffff })
  .filter((bits) => (bits & 0x7c00) !== 0x7c00)
  .map((bits) => [bits & 255, bits >> 8]);

function expectSameBits(ours: Float32Array, theirs: Float32Array): void {
  const [a, b] = [ours, theirs].map((values) => new Uint32Array(values.buffer, values.byteOffset, values.length));
  expect(a!.length).toBe(b!.length);
  const different = a!.findIndex((bits, i) => bits !== b![i]);
  if (different >= 0) expect(`${different}: ${ours[different]}`).toBe(`${different}: ${theirs[different]}`);
}

/** The weights of a matrix, out of its tiles (assembly/layout/tile.ts, class Matrix of assembly/kernels/matmul/matrix.ts). */
function unpack(core: Core, name: string): Float32Array {
  const { exports: e } = core;
  for (let i = 0; i < e.tensorCount(); i++) {
    const record = e.tensorEntry(i);
    const [length] = core.words(record + TENSOR_NAME_LENGTH, 1);
    if (new TextDecoder().decode(core.bytes(record + TENSOR_NAME, length!)) !== name) continue;
    const matrix = new DataView(e.memory.buffer, core.words(record + TENSOR_DESTINATION, 1)[0]!);
    const [rows, columns] = [matrix.getInt32(0, true), matrix.getInt32(4, true)];
    const [int8, wide] = [matrix.getUint8(8), matrix.getUint8(9)];
    expect(wide).toBe(0);
    const view = new DataView(e.memory.buffer);
    const [quants, scales, minimums] = [12, 16, 20].map((field) => matrix.getUint32(field, true)) as [
      number,
      number,
      number,
    ];
    expect(int8 ? minimums === 0 : minimums > 0).toBe(true);
    const half = (at: number) => decode(1, new Uint8Array(e.memory.buffer, at, 2))[0]!;
    return Float32Array.from({ length: rows * columns }, (_, index) => {
      const [row, column] = [Math.floor(index / columns), index % columns];
      const group = Math.floor(row / 16) * (columns / GROUP) + Math.floor(column / GROUP);
      const at = column % 8;
      const second = (at & 2) >> 1; // the second vector, or the high nibble
      const byte = 2 * (at & 1) + (at >> 2); // columns 0 4 1 5, and 2 6 3 7
      const band = (row % 16) >> 2;
      const inBand = 16 * ((column % GROUP) >> 3) * (int8 ? 2 : 1) + 4 * (row % 4) + byte;
      const inScales = 2 * (row % 16);
      if (int8) {
        const q = view.getInt8(quants + 512 * group + 128 * band + inBand + 16 * second);
        return half(scales + 64 * group + inScales) * q;
      }
      const q = (view.getUint8(quants + 256 * group + 64 * band + inBand) >> (4 * second)) & 15;
      return half(scales + 32 * group + inScales) * q + half(minimums + 32 * group + inScales);
    });
  }
  throw new Error(`no ${name}`);
}
