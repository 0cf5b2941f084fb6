// Malformed safetensors give typed errors that name what is wrong, before anything large is read or kept.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ZagreusError } from "../../host/core/api/errors";
import { readSafetensors } from "../../host/core/gguf/safetensors";
import type { RandomAccess } from "../../quant/checkpoint/checkpoint";
import { failure, memoryFile } from "./support";

interface Entry {
  dtype?: unknown;
  shape?: unknown;
  data_offsets?: unknown;
}

const GOOD: Record<string, Entry> = {
  a: { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] },
  b: { dtype: "BF16", shape: [4], data_offsets: [24, 32] },
};

/** A file of this header text, or length of it, and as many bytes of data. */
function file(header: unknown, data = 32, length?: number | bigint): RandomAccess & { closed: boolean } {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length ?? json.length), true);
  bytes.set(json, 8);
  return memoryFile(bytes, "model.safetensors");
}

const changed = (entry: Entry) => ({ ...GOOD, b: { ...GOOD.b, ...entry } });

test("a good file", async () => {
  const tensors = await readSafetensors(file({ __metadata__: { format: "pt" }, ...GOOD }));
  expect([...tensors.keys()]).toEqual(["a", "b"]);
  expect(tensors.get("b")).toMatchObject({ dtype: "BF16", shape: [4], byteLength: 8 });
  expect([...(await readSafetensors(file({}, 0))).keys()]).toEqual([]);
});

test("nested keys and escapes are no duplicates", async () => {
  const header = '{"__metadata__":{"a":"a","\\"a":"}{"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
  expect([...(await readSafetensors(file(header, 4))).keys()]).toEqual(["a"]);
});

describe("malformed", () => {
  const entry = '{"dtype":"F32","shape":[8],"data_offsets":[0,32]}';
  test.each<[what: string, source: RandomAccess, code: string, field: string]>([
    ["empty", memoryFile(new Uint8Array(0)), "TRUNCATED", "header length"],
    ["cut in the length", memoryFile(new Uint8Array(7)), "TRUNCATED", "header length"],
    ["header longer than the file", file(GOOD, 32, 1000), "TRUNCATED", "header"],
    ["header of 1 GB", file(GOOD, 32, 1 << 30), "HEADER_TOO_LARGE", "header"],
    ["header of 2^64 - 1 bytes", file(GOOD, 32, 2n ** 64n - 1n), "HEADER_TOO_LARGE", "header"],
    ["header one byte short", file(GOOD, 32, JSON.stringify(GOOD).length - 1), "BAD_JSON", "model.safetensors: header"],
    ["not JSON", file("{a: 1}"), "BAD_JSON", "model.safetensors: header"],
    ["no object", file("[1]"), "BAD_JSON", "model.safetensors: header"],
    ["null", file("null"), "BAD_JSON", "model.safetensors: header"],
    ["not UTF-8", memoryFile(Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff)), "BAD_JSON", "file: header"],
    ["a name twice", file(`{"a":${entry},"a":${entry}}`), "DUPLICATE_TENSOR", "a"],
    ["a name twice, once escaped", file(`{"a":${entry},"\\u0061":${entry}}`), "DUPLICATE_TENSOR", "a"],
    ["an entry that is no object", file({ ...GOOD, b: 1 }), "BAD_VALUE", "b"],
    ["no dtype", file(changed({ dtype: undefined })), "UNSUPPORTED_TENSOR_TYPE", "b"],
    ["unknown dtype", file(changed({ dtype: "F4" })), "UNSUPPORTED_TENSOR_TYPE", "b"],
    ["a dtype of the prototype", file(changed({ dtype: "constructor" })), "UNSUPPORTED_TENSOR_TYPE", "b"],
    ["no shape", file(changed({ shape: undefined })), "BAD_VALUE", "b.shape"],
    ["negative size", file(changed({ shape: [-4] })), "BAD_VALUE", "b.shape"],
    ["fractional size", file(changed({ shape: [4.5] })), "BAD_VALUE", "b.shape"],
    ["huge shape", file(changed({ shape: [2 ** 40, 2 ** 40] })), "BAD_VALUE", "b.data_offsets"],
    ["one offset", file(changed({ data_offsets: [24] })), "BAD_VALUE", "b.data_offsets"],
    ["offsets that are text", file(changed({ data_offsets: ["24", "32"] })), "BAD_VALUE", "b.data_offsets"],
    ["offsets in reverse", file(changed({ data_offsets: [32, 24] })), "BAD_VALUE", "b.data_offsets"],
    ["length that is not the shape's", file(changed({ data_offsets: [24, 30] })), "BAD_VALUE", "b.data_offsets"],
    ["overlap", file(changed({ data_offsets: [20, 28] }), 28), "BAD_OFFSET", "b"],
    ["the same range", file({ a: GOOD.a, b: GOOD.a }, 24), "BAD_OFFSET", "b"],
    ["gap", file(changed({ data_offsets: [28, 36] }), 36), "BAD_OFFSET", "b"],
    ["gap at the start", file({ b: GOOD.b }), "BAD_OFFSET", "b"],
    ["data cut short", file(GOOD, 31), "TRUNCATED", "b"],
    ["bytes behind the last tensor", file(GOOD, 33), "TRAILING_BYTES", "b"],
    ["offsets far beyond the file", file(changed({ data_offsets: [2 ** 52, 2 ** 52 + 8] })), "BAD_OFFSET", "b"],
  ])("%s", async (_, source, code, field) => {
    const error = await failure(readSafetensors(source));
    expect({ code: error.code, field: error.field }).toEqual({ code, field });
    expect(error.message).toContain(source.name);
  });

  test("more tensors than any model has", async () => {
    const many = Array.from({ length: 16385 }, (_, i) => [i, { dtype: "U8", shape: [0], data_offsets: [0, 0] }]);
    expect(await failure(readSafetensors(file(Object.fromEntries(many), 0)))).toMatchObject({
      code: "BAD_COUNT",
      value: 16385,
    });
  });

  test("a header of one long string is no burden", async () => {
    const begun = performance.now();
    const long = "\\\\".repeat(4_000_000);
    const value = `{"__metadata__":{"note":"${long}"},"a":${entry}}`;
    expect([...(await readSafetensors(file(value, 32))).keys()]).toEqual(["a"]);
    const error = await failure(readSafetensors(file(`{"${long}":${entry}}`, 32)));
    expect(error).toMatchObject({ code: "BAD_JSON", message: expect.stringContaining("a key of more than 16383") });
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  test("any damage to a header is refused as what it is, or still a consistent file", async () => {
    const text = JSON.stringify({ __metadata__: { format: "pt" }, ...GOOD });
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.string({ maxLength: 3 }), fc.nat(4), async (at, put, cut) => {
        try {
          const tensors = await readSafetensors(file(text.slice(0, at) + put + text.slice(at + cut)));
          let bytes = 0;
          for (const { byteLength } of tensors.values()) bytes += byteLength;
          expect(bytes).toBe(32);
        } catch (error) {
          expect(error).toBeInstanceOf(ZagreusError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("any bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const error = await readSafetensors(memoryFile(bytes)).catch((error: unknown) => error);
        expect(error instanceof ZagreusError || error instanceof Map).toBe(true);
      }),
    );
  });
});
