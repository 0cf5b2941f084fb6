// The package as npm would publish it.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(`${ROOT}${path}`, "utf8");
const manifest = JSON.parse(read("package.json"));

function packed(): string[] {
  const output = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return JSON.parse(output)[0].files.map(({ path }: { path: string }) => path);
}

test("it depends on nothing at run time", () => {
  for (const field of ["dependencies", "peerDependencies", "optionalDependencies", "bundledDependencies"]) {
    expect(manifest[field]).toBeUndefined();
  }
  for (const bundle of ["dist/index.js", "dist/cli.js", "dist/worker.js"]) {
    const imported = [...read(bundle).matchAll(/^import\b[^"';]*"([^"]+)"|\bimport\("([^"]+)"\)/gm)];
    const packages = imported
      .map(([, fixed, dynamic]) => fixed ?? dynamic)
      .filter((name) => !name?.startsWith("node:"));
    expect(packages, bundle).toEqual([]);
  }
});

test("exports and bin lead to files, types first", () => {
  const files = packed();
  for (const target of Object.values<string | Record<string, string>>(manifest.exports)) {
    if (typeof target !== "string") expect(Object.keys(target)[0]).toBe("types");
    for (const path of typeof target === "string" ? [target] : Object.values(target)) {
      expect(files).toContain(path.replace("./", ""));
    }
  }
  for (const path of Object.values<string>(manifest.bin)) {
    expect(files).toContain(path);
    expect(read(path).startsWith("#!/usr/bin/env node\n")).toBe(true);
  }
});

test("it has what it needs and nothing else", () => {
  const files = packed();
  expect(files).toEqual(
    expect.arrayContaining([
      "LICENSE",
      "README.md",
      "dist/worker.js",
      "dist/zagreus-simd.wasm",
      "dist/zagreus-relaxed.wasm",
      "dist/zagreus-simd-mt.wasm",
      "dist/zagreus-relaxed-mt.wasm",
      "dist/THIRD_PARTY_LICENSES.txt",
      "host/models/README.md",
      "host/models/zagreus-nano-Q8_0.gguf",
    ]),
  );
  const expected = /^(dist\/|host\/models\/|LICENSE$|README\.md$|package\.json$)/;
  expect(files.filter((path) => !expected.test(path))).toEqual([]);
});

test("it can be imported by its name", async () => {
  const library = await import("zagreus-edge");
  expect(Object.keys(library).sort()).toEqual(["ZagreusError", "bundledModel", "inspect", "load"]);
  expect(existsSync(library.bundledModel)).toBe(true);
});

test("the lockfile names no registry", () => {
  expect(read("package-lock.json")).not.toContain('"resolved"');
});
