// What embedders of zagreus.wasm see changes with a new version only.

import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { ABI_VERSION, contractHeader, FUNCTIONS } from "../host/wasi/contract/contract";

/** SHA-256 of the header without its comments, by version. One that was released stays as it is: a change is a new version, with a line here. */
const VERSIONS: Record<number, string> = {
  1: "1f53c9150a5ec756389abdf3d8b341278a5720251539cc93d757d9cdad0680b8",
  2: "fe70ba5249b0756e887191d8168cea164d8cdfb2124197eaf734898dca89f4d1",
};

/** What a compiler sees. */
const significant = (header: string) =>
  header
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "")
    .replace(/\s+/g, " ")
    .trim();

test("a change of the contract is a new version", () => {
  const hash = createHash("sha256").update(significant(contractHeader())).digest("hex");
  expect({ [ABI_VERSION]: hash }).toEqual({ [ABI_VERSION]: VERSIONS[ABI_VERSION] });
  expect(ABI_VERSION).toBe(Math.max(...Object.keys(VERSIONS).map(Number)));
});

test("the header is that of the sources: npx vitest run test/contract.test.ts -u writes it", async () => {
  await expect(contractHeader()).toMatchFileSnapshot("../host/wasi/contract/zagreus_abi.h");
});

test("comments are no part of it, numbers are", () => {
  const header = contractHeader();
  expect(significant(header.replace("// ", "// more: "))).toBe(significant(header));
  expect(significant(header.replace("BUFFER_BYTES 1048576", "BUFFER_BYTES 4096"))).not.toBe(significant(header));
});

test("the header has every function once, and no name twice", () => {
  const header = contractHeader();
  for (const name of FUNCTIONS) expect(header.match(new RegExp(`\\b${name}\\(.*\\);$`, "gm"))).toHaveLength(1);
  const names = [...header.matchAll(/^#define (\w+)/gm)].map(([, name]) => name);
  expect(new Set(names).size).toBe(names.length);
});
