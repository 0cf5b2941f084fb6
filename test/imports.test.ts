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
  expect(imports("host/core")).toContainEqual({ from: "host/core/api/errors.ts", to: "assembly/layout/status" });
  expect(imports("assembly").length).toBeGreaterThan(20);
});

test("assembly/layout is a leaf, and holds nothing but constants and the types of the ABI", () => {
  expect(imports("assembly/layout")).toEqual([]);
  const generated = "assembly/layout/exports.ts"; // types of the ABI
  for (const file of sources("assembly/layout").filter((name) => name !== generated)) {
    const text = readFileSync(join(ROOT, file), "utf8");
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "").trim();
    for (const line of code.split("\n")) expect(line).toMatch(/^(export const \w+ = -?\w+;)?\s*$/);
  }
});

test("assembly imports only itself", () => {
  expect(offending("assembly", (to) => inside("assembly")(to))).toEqual([]);
});

test("host/core imports itself, the layout, in one file each the loader and Jinja, and what the server is made with", () => {
  const allowed = (to: string, from: string) =>
    inside("host/core")(to) ||
    inside("assembly/layout")(to) ||
    (["hono", "hono/cors", "zod"].includes(to) && inside("host/core/server")(from)) ||
    (to === "@assemblyscript/loader" && from === "host/core/wasm/instantiate.ts") ||
    (to === "@huggingface/jinja" && from === "host/core/chat/template.ts");
  expect(offending("host/core", allowed)).toEqual([]);
});

test("host/core and quant name no runtime", () => {
  for (const file of [...sources("host/core"), ...sources("quant")]) {
    const code = readFileSync(join(ROOT, file), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    expect(code, file).not.toMatch(/\b(process|Deno|Bun|Buffer|require|globalThis|window|navigator|__dirname)\b[.[(]/);
  }
});

test("quant imports itself, the layout, and the leaves for errors, names and GGUF's header; calibration runs the core, one file reads YAML", () => {
  const allowed = (to: string, from: string) =>
    inside("quant")(to) ||
    inside("assembly/layout")(to) ||
    ["host/core/api/errors", "host/core/api/json", "host/core/api/names"].includes(to) ||
    inside("host/core/gguf")(to) ||
    (inside("quant/calibration")(from) && inside("host/core")(to)) ||
    (to === "js-yaml" && from === "quant/read/nanotron.ts");
  expect(offending("quant", allowed)).toEqual([]);
});

test("host/core/hub imports itself, and the leaves for errors, names, JSON and names of parts", () => {
  const leaves = ["host/core/api/errors", "host/core/api/json", "host/core/api/names", "host/core/gguf/parts"];
  const allowed = (to: string) => inside("host/core/hub")(to) || leaves.includes(to);
  expect(offending("host/core/hub", allowed)).toEqual([]);
});

test("host/node builds on host/core; its commands on the public API", () => {
  const packages = ["commander", "cli-progress", "@hono/node-server"];
  const allowed = (to: string, from: string) =>
    to.startsWith("node:") ||
    inside("host/node")(to) ||
    inside("host/core")(to) ||
    inside("quant")(to) ||
    to === "host/index" ||
    inside("assembly/layout")(to) ||
    (packages.includes(to) && from.startsWith("host/node/cli/"));
  expect(offending("host/node", allowed)).toEqual([]);
  const published = ["host/core/server/index"];
  expect(offending("host/node/cli", (to) => !inside("host/core")(to) || published.includes(to))).toEqual([]);
});

test("host/raspberry-pi builds on host/node and host/core; a board is told from its files alone", () => {
  const allowed = (to: string, from: string) =>
    from.endsWith("/index.ts") && (to === "node:fs" || /^host\/(node|core|raspberry-pi)\//.test(to));
  expect(offending("host/raspberry-pi", allowed)).toEqual([]);
});

test("host/deno is Node's sources and threads, and modules that Deno imports", () => {
  const allowed = (to: string) =>
    ["node:timers/promises", "node:worker_threads", "host/node/source", "host/node/worker_threads"].includes(to) ||
    inside("host/deno")(to) ||
    inside("host/core")(to) ||
    to === "host/index";
  expect(offending("host/deno", allowed)).toEqual([]);
});

test("host/browser builds on host/core", () => {
  const allowed = (to: string) => inside("host/browser")(to) || inside("host/core")(to) || to === "host/index";
  expect(offending("host/browser", allowed)).toEqual([]);
});

test("host/wasi makes C of the layout, the host and its commands", () => {
  const sources = ["assembly/layout", "host/core", "host/node/cli"];
  expect(offending("host/wasi", (to) => to === "commander" || sources.some((name) => inside(name)(to)))).toEqual([]);
});

test("host/cloudflare-workers builds on host/core, and imports compiled modules", () => {
  const allowed = (to: string) =>
    inside("host/cloudflare-workers")(to) || inside("host/core")(to) || to === "host/index";
  expect(offending("host/cloudflare-workers", allowed)).toEqual([]);
});

test("no import cycles", () => {
  for (const directory of ["host", "assembly", "quant"]) {
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
