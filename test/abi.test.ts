// assembly/layout/exports.ts is what the modules export.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { exportsSource } from "../host/build/exports.mjs";
import { compiled } from "./core";
import { BASELINE } from "./variants";

const source = () => readFileSync(new URL("../assembly/layout/exports.ts", import.meta.url), "utf8");

test("the types are those of the sources: node host/build/exports.mjs writes them", () => {
  expect(source()).toBe(exportsSource());
});

test("the core exports what they say, and nothing else", () => {
  const [core] = /type CoreExports = \{\n(.*?)\n\};/s.exec(source())!.slice(1);
  const members = [...core!.matchAll(/^ {2}(\w+)[(:]/gm)].map(([, name]) => name);
  const exports = WebAssembly.Module.exports(compiled(BASELINE[0]!)).map(({ name }) => name);
  expect(members.sort()).toEqual(exports.sort());
});
