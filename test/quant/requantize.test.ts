// Files that were quantized before: read as llama.cpp reads them, refused without being asked for, rounded from what they stand for.

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as layout from "../../assembly/layout/blocks";
import { TYPE_F32, TYPE_Q4_0, TYPE_Q8_0 } from "../../assembly/layout/blocks";
import { calibratedRounding } from "../../quant/calibration/calibrate";
import { TENSOR_TYPES, type TensorType } from "../../quant/checkpoint/types";
import { openGguf } from "../../quant/read/gguf_checkpoint";
import { NANO } from "../support/core";
import { COMMUNITY, tiny } from "../support/models/community";
import { encodeTensor, tinyModel, writeGguf } from "../support/models/gguf_writer";
import { decode, readRawGguf } from "../support/models/reference";
import { failure, gguf, memoryFile, quantizer } from "./support";

const ROUNDED = TENSOR_TYPES.filter(({ isRounded }) => isRounded);
const openBytes = (bytes: Uint8Array) => openGguf(memoryFile(bytes, "model.gguf"));
const bits = (values: Float32Array) => [...new Uint32Array(values.slice().buffer)];

test("the table has all that can be loaded, and the bits of a weight", () => {
  const constants: Record<string, number> = layout;
  const loadable = Object.keys(constants).filter((name) => name.startsWith("ELEMENTS_"));
  expect(TENSOR_TYPES).toHaveLength(loadable.length);
  const size = ({ name, bits }: TensorType) => [name, bits];
  expect(ROUNDED.map(size)).toContainEqual(["Q6_K", 6.5625]);
  expect(TENSOR_TYPES.filter(({ written }) => written).map(size)).toEqual([
    ["Q8_0", 8.5],
    ["Q4_0", 4.5],
  ]);
});

test("docs/quantization.md has the table", () => {
  const rows = TENSOR_TYPES.map(({ name, bits, isRounded, written }) => {
    const read = isRounded ? "with `--requantize`" : "yes";
    return `| ${name} | ${bits} | ${read} | ${written ? `\`-t ${written}\`` : ""} |`.replace("|  |", "| |");
  });
  const document = readFileSync(new URL("../../docs/quantization.md", import.meta.url), "utf8");
  expect(document).toContain(`\n${rows.join("\n")}\n\n`);
});

describe("to f32", () => {
  test.each(COMMUNITY)("$name: llama.cpp's bits", ({ type, blocks, values }) => {
    expect(bits(quantizer.floats(type, blocks, values.length))).toEqual(bits(values));
  });

  test.each(ROUNDED)("$name: any number of any blocks, and none that is not finite becomes finite", (row) => {
    const block = fc.uint8Array({ minLength: row.bytes, maxLength: row.bytes });
    fc.assert(
      fc.property(fc.array(block, { minLength: 1, maxLength: 5 }), (blocks) => {
        const bytes = new Uint8Array(Buffer.concat(blocks));
        const expected = Float32Array.from(decode(row.type, bytes));
        const found = quantizer.floats(row.type, bytes, expected.length);
        expect(found.findIndex((value, i) => !same(value, expected[i]!))).toBe(-1);
      }),
      { numRuns: 300 },
    );
  });
});

/** The same number, or both none that is finite. */
const same = (a: number, b: number) => Object.is(a, b) || !(Number.isFinite(a) || Number.isFinite(b));

/** Of llama.cpp's blocks those whose values every type has. */
function usual({ type, bytes }: TensorType): Uint8Array[] {
  const { blocks } = COMMUNITY.find((format) => format.type === type)!;
  const all = Array.from({ length: blocks.length / bytes }, (_, i) => blocks.subarray(i * bytes, (i + 1) * bytes));
  return all.filter((block) => decode(type, block).every((value) => Math.abs(value) < 1000));
}

/** A tiny model with matrices of one type, K-quants cut from llama.cpp's blocks; rows are of 256. */
function model(row: TensorType) {
  const file = tinyModel({ layers: 1, heads: 4, headSize: 64, ffn: 256, types: TYPE_F32 });
  const known = row.elements === layout.SUPERBLOCK ? usual(row) : [];
  const tensors = file.tensors.map((tensor) => {
    if (tensor.dims.length < 2) return tensor;
    const values = Float32Array.from(decode(TYPE_F32, tensor.data));
    const blocks = Array.from({ length: values.length / row.elements }, (_, i) => known[i % known.length]!);
    const data = known.length > 0 ? new Uint8Array(Buffer.concat(blocks)) : encodeTensor(row.type, values);
    return { ...tensor, type: row.type, data };
  });
  const floats = tensors.map((tensor) => ({
    ...tensor,
    type: TYPE_F32,
    data: encodeTensor(TYPE_F32, Float32Array.from(decode(tensor.type, tensor.data))),
  }));
  return { rounded: writeGguf({ ...file, tensors }).bytes, floats: writeGguf({ ...file, tensors: floats }).bytes };
}

describe.each(ROUNDED)("a file in $name", (row) => {
  const { rounded, floats } = model(row);

  test.each(["q4_0", "q8_0"] as const)("becomes what its F32 values become in %s", async (type) => {
    const refused = row.written === type ? undefined : await failure(openBytes(rounded).then((c) => gguf(c, { type })));
    if (refused) {
      expect(refused).toMatchObject({ code: "UNSUPPORTED_TENSOR_TYPE", field: "requantize", value: row.name });
      expect(refused.message).toMatch(new RegExp(`matrices are ${row.name}, .*F32, F16, BF16.*--requantize`));
    }
    const again = await gguf(await openBytes(rounded), { type, requantize: true });
    const expected = row.written === type ? rounded : await gguf(await openBytes(floats), { type });
    const data = (file: Uint8Array) => readRawGguf(file).tensors.map(({ name, type, data }) => [name, type, sum(data)]);
    expect(new Map(data(again).map((line) => [line[0], line]))).toEqual(
      new Map(data(expected).map((line) => [line[0], line])),
    );
  });
});

const sum = (data: Uint8Array) => Buffer.from(data).toString("base64");

test("a mix names all of its types; matrices of the wanted type stay, and need no leave", async () => {
  const mixed = await failure(openBytes(tiny()).then((checkpoint) => gguf(checkpoint, { type: "q4_0" })));
  expect(mixed).toMatchObject({ code: "UNSUPPORTED_TENSOR_TYPE", value: "Q6_K, Q5_K", expected: "F32, F16, BF16" });
  const same = await gguf(await openBytes(NANO.Q4_0()), { type: "q4_0" });
  expect(readRawGguf(same).tensors.map(({ data }) => sum(data))).toEqual(
    readRawGguf(NANO.Q4_0()).tensors.map(({ data }) => sum(data)),
  );
  const embedding = await failure(
    openBytes(NANO.Q4_0()).then((checkpoint) => gguf(checkpoint, { type: "q4_0", embedding: "q8_0" })),
  );
  expect(embedding).toMatchObject({ field: "requantize", value: "Q4_0" });
});

test("calibrated, a rounded file is what its F32 values are", async () => {
  const [core, compensator] = ["calibrate", "quantizer"].map(
    (name) => new WebAssembly.Module(readFileSync(new URL(`../../dist/zagreus-${name}.wasm`, import.meta.url))),
  ) as [WebAssembly.Module, WebAssembly.Module];
  const calibrated = async (file: Uint8Array) => {
    const checkpoint = await openBytes(file);
    const text = "the hen in the inn and a thin antenna ".repeat(8);
    const options = { core, compensator, quantizer, text, macrotask: async () => {} };
    return gguf(checkpoint, { type: "q4_0", requantize: true, rounding: calibratedRounding(checkpoint, options) });
  };
  const { rounded, floats } = model(TENSOR_TYPES.find(({ name }) => name === "Q4_1")!);
  const found = await calibrated(rounded);
  expect(Buffer.compare(found, await calibrated(floats))).toBe(0);
  expect(Buffer.compare(found, await gguf(await openBytes(floats), { type: "q4_0" }))).not.toBe(0);
});

test("vectors are floats, as in every file that can be loaded", async () => {
  const file = tinyModel({ types: TYPE_Q8_0 });
  const norm = file.tensors.find(({ name }) => name === "blk.0.attn_norm.weight")!;
  const rounded = { ...norm, type: TYPE_Q4_0, data: encodeTensor(TYPE_Q4_0, Float32Array.from(decode(0, norm.data))) };
  const tensors = file.tensors.map((tensor) => (tensor === norm ? rounded : tensor));
  const opening = openBytes(writeGguf({ ...file, tensors }).bytes);
  const error = await failure(opening.then((checkpoint) => gguf(checkpoint, { type: "q8_0", requantize: true })));
  expect(error).toMatchObject({ code: "UNSUPPORTED_TENSOR_TYPE", field: norm.name, expected: "F32, F16, BF16" });
});

test("a block's weight that is not finite is refused by tensor and row", async () => {
  const { rounded } = model(TENSOR_TYPES.find(({ name }) => name === "Q4_1")!);
  const raw = readRawGguf(rounded);
  const tensors = raw.tensors.map((tensor) => ({ ...tensor, data: tensor.data.slice() }));
  const query = tensors.find(({ name }) => name === "blk.0.attn_q.weight")!;
  query.data.set([0x00, 0x7c], 3 * 8 * 20); // d of row 3: infinity
  const bytes = writeGguf({ metadata: raw.entries, tensors }).bytes;
  const error = await failure(openBytes(bytes).then((c) => gguf(c, { type: "q4_0", requantize: true })));
  expect(error).toMatchObject({ code: "NON_FINITE_WEIGHT", field: query.name, value: 3 });
});
