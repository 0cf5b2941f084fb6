// Who may import whom.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

interface Import {
  from: string;
  /** A path from the root without extension, or a package. */
  to: string;
}

function sources(directory: string): string[] {
  const entries = readdirSync(join(ROOT, directory), { recursive: true, encoding: "utf8" });
  return entries.filter((name) => /\.m?ts$/.test(name)).map((name) => join(directory, name));
}

function imports(directory: string): Import[] {
  return sources(directory).flatMap((from) => {
    const text = readFileSync(join(ROOT, from), "utf8");
    const specifiers = text.matchAll(
      /^\s*(?:(?:import|export)\b[^"';]*\bfrom\s*|import\s*)"([^"]+)"|\bimport\(\s*"([^"]+)"/gm,
    );
    return [...specifiers].map(([, fixed, dynamic]) => {
      const specifier = (fixed ?? dynamic)!;
      if (!specifier.startsWith(".")) return { from, to: specifier };
      return { from, to: relative(ROOT, join(ROOT, dirname(from), specifier)).replace(/\.(js|ts)$/, "") };
    });
  });
}

const inside = (directory: string) => (path: string) => path.startsWith(`${directory}/`);

/** Imports that a rule does not allow. */
function offending(directory: string, allowed: (to: string, from: string) => boolean): Import[] {
  return imports(directory).filter(({ to, from }) => !allowed(to, from));
}

test("the patterns find imports at all", () => {
  expect(imports("host/node")).toContainEqual({ from: "host/node/file.ts", to: "node:fs/promises" });
  expect(imports("host/core")).toContainEqual({ from: "host/core/errors.ts", to: "assembly/layout/status" });
  expect(imports("assembly").length).toBeGreaterThan(20);
});

test("assembly/layout is a leaf, and holds nothing but constants", () => {
  expect(imports("assembly/layout")).toEqual([]);
  for (const file of sources("assembly/layout")) {
    const text = readFileSync(join(ROOT, file), "utf8");
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "").trim();
    for (const line of code.split("\n")) expect(line).toMatch(/^(export const \w+ = -?\w+;)?\s*$/);
  }
});

test("assembly imports only itself", () => {
  expect(offending("assembly", (to) => inside("assembly")(to))).toEqual([]);
});

test("host/core imports itself, the layout, and in one file the loader", () => {
  const allowed = (to: string, from: string) =>
    inside("host/core")(to) ||
    inside("assembly/layout")(to) ||
    (to === "@assemblyscript/loader" && from === "host/core/instantiate.ts");
  expect(offending("host/core", allowed)).toEqual([]);
});

test("host/core names no runtime", () => {
  for (const file of sources("host/core")) {
    const code = readFileSync(join(ROOT, file), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    expect(code, file).not.toMatch(/\b(process|Deno|Bun|Buffer|require|globalThis|window|navigator|__dirname)\b[.[(]/);
  }
});

test("host/node builds on host/core; its commands on the public API", () => {
  const packages = ["commander", "cli-progress"];
  const allowed = (to: string, from: string) =>
    to.startsWith("node:") ||
    inside("host/node")(to) ||
    inside("host/core")(to) ||
    to === "host/index" ||
    inside("assembly/layout")(to) ||
    (packages.includes(to) && from.startsWith("host/node/cli/"));
  expect(offending("host/node", allowed)).toEqual([]);
  expect(offending("host/node/cli", (to) => !inside("host/core")(to))).toEqual([]);
});

test("no import cycles", () => {
  for (const directory of ["host", "assembly"]) {
    const edges = new Map<string, string[]>();
    for (const { from, to } of imports(directory)) {
      const name = from.replace(/\.ts$/, "");
      edges.set(name, [...(edges.get(name) ?? []), to]);
    }
    const done = new Set<string>();
    const visit = (name: string, path: readonly string[]) => {
      if (path.includes(name))
        throw new Error(`import cycle: ${[...path.slice(path.indexOf(name)), name].join(" -> ")}`);
      if (done.has(name)) return;
      for (const next of edges.get(name) ?? []) visit(next, [...path, name]);
      done.add(name);
    };
    for (const name of edges.keys()) visit(name, []);
  }
});
