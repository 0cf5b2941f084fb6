// What assembly/layout says is what the modules do.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as abi from "../assembly/layout/abi";
import * as blocks from "../assembly/layout/blocks";
import { exportsSource } from "../host/build/exports.mjs";
import { compiled } from "./support/core";
import { BASELINE } from "./support/variants";

const source = () => readFileSync(new URL("../assembly/layout/exports.ts", import.meta.url), "utf8");

test("the types are those of the sources: npm run format writes them", () => {
  expect(source()).toBe(exportsSource());
});

test("the core exports what they say, and nothing else", () => {
  const [core] = /type CoreExports = \{\n(.*?)\n\};/s.exec(source())!.slice(1);
  const members = [...core!.matchAll(/^ {2}(\w+)[(:]/gm)].map(([, name]) => name);
  const exports = WebAssembly.Module.exports(compiled(BASELINE[0]!)).map(({ name }) => name);
  expect(members.sort()).toEqual(exports.sort());
});

test("a tensor type has a number, one that can be loaded elements and bytes too, and fits where blocks are put together", () => {
  const of = (kind: string): Record<string, number> =>
    Object.fromEntries(
      Object.entries(blocks).flatMap(([name, value]) =>
        name.startsWith(`${kind}_`) ? [[name.slice(kind.length + 1), value]] : [],
      ),
    );
  const [types, elements, bytes] = [of("TYPE"), of("ELEMENTS"), of("BYTES")];
  expect(new Set(Object.values(types)).size).toBe(Object.keys(types).length);
  expect(Object.keys(elements).sort()).toEqual(Object.keys(bytes).sort());
  expect(Object.keys(types)).toEqual(expect.arrayContaining(Object.keys(bytes)));
  expect(blocks.MAX_BLOCK_BYTES).toBe(Math.max(...Object.values(bytes)));
});

test("the benchmark, which has no TypeScript, reads what the core tells where it is", async () => {
  const { INFO } = await import(new URL("peers/core.mjs", import.meta.url).href);
  expect(INFO).toEqual({
    vocabulary: abi.INFO_VOCABULARY,
    parameters: abi.INFO_PARAMETERS,
    context: abi.INFO_CONTEXT,
    memoryBytes: abi.INFO_MEMORY_BYTES,
    weightBytes: abi.INFO_SECTION + abi.SECTION_WEIGHTS,
    kvBytes: abi.INFO_SECTION + abi.SECTION_KV_CACHE,
  });
});
