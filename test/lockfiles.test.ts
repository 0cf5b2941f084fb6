// What npm ci installs is what was tried: every entry of every lockfile has an integrity hash.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { projectFiles } from "./support/imports";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const LOCKFILES = projectFiles(".").filter((path) => path.endsWith("package-lock.json"));

interface Entry {
  resolved?: string;
  integrity?: string;
  link?: boolean;
  inBundle?: boolean;
}

/** Binaries of node-llama-cpp for other machines, optional: npm writes no hash for what the registry does not give it. */
const WITHOUT =
  /^node_modules\/@node-llama-cpp\/(linux-riscv64|mac-arm64-metal|mac-x64|win-(arm64|x64(-cuda(-ext)?|-vulkan)?))$/;

/** Why an entry has none. */
function reason(path: string, { link, inBundle, resolved }: Entry): string | undefined {
  if (WITHOUT.test(path)) return "never installed here";
  if (path === "" || !/(^|\/)node_modules\//.test(path)) return "the package itself";
  if (link) return "a link to a folder of this repository";
  if (inBundle) return "comes inside another package, whose hash covers it";
  if (resolved?.startsWith("file:")) return "a tarball that is packed here";
  return undefined;
}

test("there are lockfiles", () => {
  expect(LOCKFILES).toContain("package-lock.json");
});

test("binaryen, which the WASI build uses, is the one that asc brings", () => {
  const { packages } = JSON.parse(readFileSync(`${ROOT}package-lock.json`, "utf8"));
  const { binaryen } = packages["node_modules/assemblyscript"].dependencies;
  expect(packages["node_modules/binaryen"].version).toBe(binaryen);
});

test.each(LOCKFILES)("%s", (path) => {
  const { lockfileVersion, packages } = JSON.parse(readFileSync(`${ROOT}${path}`, "utf8"));
  expect(lockfileVersion).toBe(3);
  for (const [name, entry] of Object.entries<Entry>(packages)) {
    if (reason(name, entry)) continue;
    expect(entry.integrity, name).toMatch(/^sha512-[\w+/]{86}==$/);
  }
});
