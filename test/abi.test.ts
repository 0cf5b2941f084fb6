// What assembly/layout says is what the modules do.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
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

test("a tensor type has a number, elements and bytes, and fits where blocks are put together", () => {
  const of = (kind: string) =>
    Object.entries(blocks).flatMap(([name, value]) =>
      name.startsWith(`${kind}_`) ? [[name.slice(kind.length + 1), value] as const] : [],
    );
  const names = of("TYPE")
    .map(([name]) => name)
    .sort();
  expect(
    of("ELEMENTS")
      .map(([name]) => name)
      .sort(),
  ).toEqual(names);
  expect(
    of("BYTES")
      .map(([name]) => name)
      .sort(),
  ).toEqual(names);
  expect(blocks.MAX_BLOCK_BYTES).toBe(Math.max(...of("BYTES").map(([, bytes]) => bytes)));
});
