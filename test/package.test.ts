// The package as npm would publish it.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { brokenLinks, CONTENTS, homes } from "../host/build/release/tarball.mjs";
import { run } from "./support/child";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(`${ROOT}${path}`, "utf8");
const manifest = JSON.parse(read("package.json"));

type Target = string | { [condition: string]: Target };

let packed: string[];
beforeAll(async () => {
  const arguments_ = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const { stdout } = await run("npm", arguments_, { cwd: ROOT });
  packed = JSON.parse(stdout)[0].files.map(({ path }: { path: string }) => path);
});

test("it depends on nothing at run time but, where somebody wants it, the command on MCP's SDK", () => {
  const sdk = "@modelcontextprotocol/sdk";
  for (const field of ["dependencies", "optionalDependencies", "bundledDependencies"]) {
    expect(manifest[field]).toBeUndefined();
  }
  expect(Object.keys(manifest.peerDependencies)).toEqual([sdk]);
  expect(manifest.peerDependenciesMeta).toEqual({ [sdk]: { optional: true } });
  for (const bundle of packed.filter((path) => /^dist\/[^/]+\.js$/.test(path))) {
    const imported = [...read(bundle).matchAll(/^import\b[^"';]*"([^"]+)"|\bimport\("([^"]+)"\)/gm)];
    const packages = imported
      .map(([, fixed, dynamic]) => fixed ?? dynamic)
      .filter((name) => !/^(node:|\.\/)/.test(name!))
      .filter((name) => bundle !== "dist/main.js" || !name!.startsWith(`${sdk}/`));
    expect(packages, bundle).toEqual([]);
  }
});

test("exports and bin lead to files, types first", () => {
  const check = (target: Target) => {
    if (target === "./dist/wasi/*") return; // which a C compiler builds: test/wasi/module.test.ts
    if (typeof target === "string") return expect(packed).toContain(target.replace("./", ""));
    const inner = Object.values(target);
    if (inner.some((value) => typeof value === "string")) expect(Object.keys(target)[0]).toBe("types");
    for (const value of inner) check(value);
  };
  for (const target of Object.values<Target>(manifest.exports)) check(target);
  for (const path of Object.values<string>(manifest.bin)) {
    expect(packed).toContain(path);
    expect(read(path).startsWith("#!/usr/bin/env node\n")).toBe(true);
  }
});

test("it has what it needs and nothing else", () => {
  expect(packed).toEqual(
    expect.arrayContaining([
      "LICENSE",
      "README.md",
      "dist/browser.js",
      "dist/browser-thread.js",
      "dist/browser-hub.js",
      "dist/browser-worker.js",
      "dist/calibration.txt",
      "dist/compute_thread.js",
      "dist/deno.js",
      ...["it", "en", "es", "fr", "pt", "code"].map((name) => `dist/frequencies-${name}.br`),
      "dist/held-out.txt",
      "dist/cloudflare-workers.js",
      "dist/hub.js",
      "dist/probe-relaxed.wasm",
      "dist/probe-simd.wasm",
      "dist/model_thread.js",
      "dist/page/index.html",
      "dist/prompt-api.js",
      "dist/prompt-api-browser.js",
      "dist/prompt-api-core.js",
      "dist/prompt-api-deno.js",
      "dist/quantize.js",
      "dist/server.js",
      "dist/zagreus-calibrate.wasm",
      "dist/zagreus-quantizer.wasm",
      "dist/zagreus-simd.wasm",
      "dist/zagreus-relaxed.wasm",
      "dist/zagreus-simd-mt.wasm",
      "dist/zagreus-relaxed-mt.wasm",
      "dist/THIRD_PARTY_LICENSES.txt",
      "host/models/README.md",
      "host/models/zagreus-nano-Q8_0.gguf",
    ]),
  );
  const unknown = packed.filter((path) => !CONTENTS.some(([pattern]) => pattern.test(path)));
  expect(unknown).toEqual([]);
  for (const [pattern] of CONTENTS.filter(([, reader]) => !reader.startsWith("Wasmtime")))
    expect(
      packed.some((path) => pattern.test(path)),
      String(pattern),
    ).toBe(true);
});

test("the README's links lead to files of the package, and so do those of its documents to each other", () => {
  expect(brokenLinks("README.md", read("README.md"), packed)).toEqual([]);
  for (const path of packed.filter((name) => name.startsWith("docs/") && name.endsWith(".md"))) {
    // What lies in folders that are not published is in the repository: test/docs.test.ts
    const broken = brokenLinks(path, read(path), packed).filter(
      (link) => !/^\.\.\/(assembly|examples|host|test)\//.test(link),
    );
    expect(broken, path).toEqual([]);
  }
});

test("where the project lives stands in `repository`, of which the rest is made", () => {
  const { homepage, bugs } = manifest;
  expect({ homepage, bugs }).toEqual({ homepage: undefined, bugs: undefined, ...homes(manifest) });
});

test("it can be imported by its name", async () => {
  const library = await import("zagreus-edge");
  expect(Object.keys(library).sort()).toEqual(["ZagreusError", "bundledModel", "inspect", "load", "runTools"]);
  expect(existsSync(library.bundledModel)).toBe(true);
  const { quantize, ZagreusError } = await import("zagreus-edge/quantize");
  expect(quantize).toBeInstanceOf(Function);
  expect(ZagreusError).toBe(library.ZagreusError);
  const promptApi = await import("zagreus-edge/prompt-api");
  expect(Object.keys(promptApi).sort()).toEqual([
    "LanguageModelToolCall",
    "LanguageModelToolError",
    "LanguageModelToolSuccess",
    "QuotaExceededError",
    "install",
    "languageModel",
  ]);
  const { createServer } = await import("zagreus-edge/server");
  expect(() => createServer({})).toThrow(library.ZagreusError);
});

test("jsr.json has the version of package.json, and leads to files", () => {
  const { version, exports, publish } = JSON.parse(read("jsr.json"));
  expect(version).toBe(manifest.version);
  for (const path of Object.values<string>(exports)) expect(packed).toContain(path.replace("./", ""));
  expect(publish.exclude).toContain("!dist"); // which .gitignore leaves out
});

test("the lockfile names no registry", () => {
  expect(read("package-lock.json")).not.toContain('"resolved"');
});
