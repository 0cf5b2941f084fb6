// GGUF files as a source: malformed ones give typed errors that name what is wrong.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VALUE_ARRAY, VALUE_STRING, VALUE_U8 } from "../../assembly/layout/gguf";
import { ZagreusError } from "../../host/core/api/errors";
import { openGguf } from "../../quant/read/gguf_checkpoint";
import {
  array,
  type GgufFile,
  scalar,
  string,
  type TinyOptions,
  tinyModel,
  u32,
  writeGguf,
} from "../support/models/gguf_writer";
import { failure, gguf, memoryFile } from "./support";

type Change = (file: GgufFile) => void;

function tiny(change: Change = () => {}, options: TinyOptions = {}): Uint8Array {
  const file = tinyModel({ types: 1, ...options });
  change(file);
  return writeGguf(file).bytes;
}

const openBytes = (bytes: Uint8Array) => openGguf(memoryFile(bytes, "model.gguf"));
const entry = (file: GgufFile, wanted: string) => file.metadata.find(({ key }) => key === wanted)!;
const tensor = (file: GgufFile, wanted: string) => file.tensors.find(({ name }) => name === wanted)!;
const remove = (file: GgufFile, wanted: string) => {
  file.metadata = file.metadata.filter(({ key }) => key !== wanted);
};

describe("malformed", () => {
  const good = writeGguf(tinyModel({ types: 1 }));
  test.each<[what: string, bytes: Uint8Array, code: string, field: string]>([
    ["empty", new Uint8Array(0), "TRUNCATED", "header"],
    ["no GGUF", new TextEncoder().encode("not a GGUF file"), "BAD_MAGIC", "magic"],
    ["version 1", tiny((f) => Object.assign(f, { version: 1 })), "UNSUPPORTED_VERSION", "version"],
    ["version 4", tiny((f) => Object.assign(f, { version: 4 })), "UNSUPPORTED_VERSION", "version"],
    ["tensor count", tiny((f) => Object.assign(f, { tensorCount: 2n ** 63n })), "BAD_COUNT", "tensor_count"],
    ["metadata count", tiny((f) => Object.assign(f, { metadataCount: 5000 })), "BAD_COUNT", "metadata_kv_count"],
    [
      "long key",
      tiny((f) => Object.assign(f.metadata[0]!, { keyLength: 2n ** 40n })),
      "BAD_STRING_LENGTH",
      "metadata key",
    ],
    ["key twice", tiny((f) => f.metadata.push(f.metadata[0]!)), "DUPLICATE_KEY", "general.architecture"],
    [
      "unknown type",
      tiny((f) => Object.assign(f.metadata[0]!, { type: 99 })),
      "BAD_VALUE_TYPE",
      "general.architecture",
    ],
    [
      "array of arrays",
      tiny((f) => f.metadata.push({ key: "x", value: array(VALUE_U8, [1], { elementType: VALUE_ARRAY }) })),
      "BAD_ELEMENT_TYPE",
      "x",
    ],
    [
      "array of 2^60",
      tiny((f) => f.metadata.push({ key: "x", value: array(VALUE_U8, [1], { count: 2n ** 60n }) })),
      "HEADER_TOO_LARGE",
      "header",
    ],
    [
      "array beyond the file",
      tiny((f) => f.metadata.push({ key: "x", value: array(VALUE_STRING, ["a"], { count: 1e7 }) })),
      "TRUNCATED",
      "header",
    ],
    [
      "text that is not UTF-8",
      tiny((f) => f.metadata.push({ key: "x", value: string(Uint8Array.of(0xff)) })),
      "BAD_VALUE",
      "x",
    ],
    [
      "alignment",
      tiny((f) => f.metadata.push({ key: "general.alignment", value: u32(48) })),
      "BAD_ALIGNMENT",
      "general.alignment",
    ],
    [
      "alignment 0",
      tiny((f) => f.metadata.push({ key: "general.alignment", value: u32(0) })),
      "BAD_ALIGNMENT",
      "general.alignment",
    ],
    [
      "alignment as text",
      tiny((f) => f.metadata.push({ key: "general.alignment", value: string("x") })),
      "BAD_ALIGNMENT",
      "general.alignment",
    ],
    [
      "three dimensions",
      tiny((f) => Object.assign(tensor(f, "blk.0.attn_q.weight"), { dims: [32, 32, 1] })),
      "BAD_RANK",
      "blk.0.attn_q.weight",
    ],
    [
      "dimension 0",
      tiny((f) => Object.assign(tensor(f, "blk.0.attn_q.weight"), { dims: [32, 0] })),
      "BAD_DIMENSION",
      "blk.0.attn_q.weight",
    ],
    [
      "a type that cannot be loaded",
      tiny((f) => Object.assign(tensor(f, "blk.0.attn_q.weight"), { type: 10 })),
      "UNSUPPORTED_TENSOR_TYPE",
      "blk.0.attn_q.weight",
    ],
    [
      "K-quants in rows of 64",
      tiny((f) => Object.assign(tensor(f, "blk.0.attn_q.weight"), { type: 12 })),
      "BAD_DIMENSION",
      "blk.0.attn_q.weight",
    ],
    [
      "tensor twice",
      tiny((f) => f.tensors.push(tensor(f, "blk.0.attn_q.weight"))),
      "DUPLICATE_TENSOR",
      "blk.0.attn_q.weight",
    ],
    ["offset", tiny((f) => Object.assign(f.tensors[1]!, { offset: 64 })), "BAD_OFFSET", "token_embd.weight"],
    ["data cut short", good.bytes.subarray(0, good.bytes.length - 3000), "TRUNCATED", "blk.1.ffn_down.weight"],
    [
      "no architecture",
      tiny((f) => remove(f, "general.architecture")),
      "UNSUPPORTED_ARCHITECTURE",
      "general.architecture",
    ],
    [
      "other architecture",
      tiny((f) => Object.assign(entry(f, "general.architecture"), { value: string("qwen2") })),
      "UNSUPPORTED_ARCHITECTURE",
      "general.architecture",
    ],
    ["no layers", tiny((f) => remove(f, "llama.block_count")), "MISSING_KEY", "llama.block_count"],
    [
      "layers as text",
      tiny((f) => Object.assign(entry(f, "llama.block_count"), { value: string("2") })),
      "BAD_VALUE",
      "llama.block_count",
    ],
    [
      "2^32 - 1 layers",
      tiny((f) => Object.assign(entry(f, "llama.block_count"), { value: u32(0xffffffff) })),
      "MISSING_TENSOR",
      "blk.2.attn_norm.weight",
    ],
    ["tensor missing", tiny((f) => f.tensors.splice(1, 1)), "MISSING_TENSOR", "token_embd.weight"],
    [
      "tensor unknown",
      tiny((f) => f.tensors.push({ ...f.tensors[0]!, name: "blk.0.attn_q.bias" })),
      "UNEXPECTED_TENSOR",
      "blk.0.attn_q.bias",
    ],
    [
      "shape of another model",
      tiny((f) => Object.assign(entry(f, "llama.feed_forward_length"), { value: u32(32) })),
      "BAD_DIMENSION",
      "blk.0.ffn_gate.weight",
    ],
  ])("%s", async (_, bytes, code, field) => {
    const source = memoryFile(bytes, "model.gguf");
    const error = await failure(openGguf(source));
    expect({ code: error.code, field: error.field }).toEqual({ code, field });
    expect(source.closed).toBe(true);
  });

  test("cut anywhere", async () => {
    for (let length = 0; length < good.headerBytes; length += 7) {
      expect(await failure(openBytes(good.bytes.subarray(0, length)))).toMatchObject({ code: "TRUNCATED" });
    }
  });

  test("any byte of the header changed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(good.headerBytes - 1), fc.nat(255), async (at, byte) => {
        const bytes = good.bytes.slice();
        bytes[at] = byte;
        await openBytes(bytes).catch((error: unknown) => expect(error).toBeInstanceOf(ZagreusError));
      }),
      { numRuns: 3000 },
    );
  });
});

test("every metadata type comes through as it is", async () => {
  const file = tiny(
    (f) => {
      f.metadata.push(
        { key: "x.u64", value: scalar(10, 2n ** 64n - 1n) },
        { key: "x.i64", value: scalar(11, -(2n ** 63n)) },
      );
      f.metadata.push({ key: "x.bom", value: string("\ufefftext") });
    },
    { unknownKeys: true },
  );
  const again = await gguf(await openBytes(file), { type: "q8_0" });
  const twice = await gguf(await openBytes(again), { type: "q8_0" });
  expect(Buffer.compare(again, twice)).toBe(0);
  const { metadata } = await openBytes(again);
  const before = (await openBytes(file)).metadata;
  for (const [key, value] of before) expect(metadata.get(key)).toEqual(value);
});
