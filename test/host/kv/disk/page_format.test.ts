// The file of a page: names that are the same everywhere, and nothing but the whole file is believed.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isPageName } from "../../../../host/core/kv/disk/page_files";
import {
  fileBytes,
  namespaceOf,
  pageNames,
  readPageFile,
  writePageFile,
} from "../../../../host/core/kv/disk/page_format";
import { Core } from "../../../../host/core/wasm/core";

const PAGE = 300;
const TOKENS = Array.from({ length: 70 }, (_, i) => i * 7);
const HEAD = 80 + 4 * 64; // of the second page
const module = new WebAssembly.Module(readFileSync(new URL("../../../../dist/zagreus-simd.wasm", import.meta.url)));
const core = await Core.create(module, false);
const namespace = namespaceOf({ model: "m", kvType: "int8" });
const fill = (page: Uint8Array) => page.fill(7).length === PAGE;
const file = writePageFile(core, namespace, TOKENS, 1, PAGE, fill)!;
const read = (bytes: Uint8Array, tokens = TOKENS, space = namespace, index = 1, page = PAGE) =>
  readPageFile(core, space, tokens, index, page, bytes);

test("what was written is read, wherever it lies", () => {
  expect(file.length).toBe(fileBytes(1, PAGE));
  const shifted = new Uint8Array(file.length + 3);
  shifted.set(file, 3);
  for (const bytes of [file, shifted.subarray(3)]) expect(read(bytes)).toEqual(new Uint8Array(PAGE).fill(7));
  expect(writePageFile(core, namespace, TOKENS, 1, PAGE, () => false)).toBeUndefined();
});

test("a flipped bit anywhere, an end anywhere, a byte more: nothing", () => {
  for (let at = 0; at < file.length; at++) {
    const flipped = file.slice();
    flipped[at]! ^= 1 << (at % 8);
    expect([at, read(flipped)]).toEqual([at, undefined]);
    expect(read(file.subarray(0, at))).toBeUndefined();
  }
  expect(read(Uint8Array.from([...file, 0]))).toBeUndefined();
  const sizes = file.slice();
  for (const at of [72, 76]) new DataView(sizes.buffer).setUint32(at, 0xffffffff, true);
  expect(read(sizes)).toBeUndefined();
});

test("another's, under the same name: nothing", () => {
  expect(read(file, TOKENS.with(3, 1))).toBeUndefined();
  expect(read(file, TOKENS.with(63, 1))).toBeUndefined();
  expect(read(file, TOKENS.with(64, 1))).toBeDefined(); // behind the page
  expect(read(file, TOKENS, namespaceOf({ model: "n", kvType: "int8" }))).toBeUndefined();
  expect(read(file, TOKENS, namespace, 0)).toBeUndefined();
  expect(read(file, TOKENS, namespace, 1, PAGE - 1)).toBeUndefined();
  expect(HEAD + PAGE + 8).toBe(file.length);
});

test("names: of all full pages, by all that comes before, the same in every process", () => {
  const names = pageNames(namespace, TOKENS);
  expect(names).toEqual(GOLDEN);
  expect(names.every(isPageName)).toBe(true);
  expect(pageNames(namespace, TOKENS.slice(0, 64))).toEqual(names);
  expect(pageNames(namespace, TOKENS.slice(0, 63))).toEqual(names.slice(0, 1));
  expect(pageNames(namespace, TOKENS.with(0, 1)).filter((name) => names.includes(name))).toEqual([]);
  const others: Record<string, string>[] = [
    { model: "n", kvType: "int8" },
    { model: "m", kvType: "f16" },
    { model: "m", kvType: "int8", use: "a" },
  ];
  const all = others.map((facts) => pageNames(namespaceOf(facts), TOKENS)[0]);
  expect(new Set([...all, names[0]]).size).toBe(4);
  expect(namespaceOf({ a: "b", c: "d" })).not.toBe(namespaceOf({ a: 'b","c":"d' }));
});

const GOLDEN = [
  "d1df783c37fd4c4b68fffc7d4cc870f7109ef66540adf5ae8726fe42064be6dd.kv",
  "3cfbbdb34f2d3f498a5110ec98bc1c99da04bc3c15080a9f0418cfb59a7ad31e.kv",
];
