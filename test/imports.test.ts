// Who may import whom.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type Import, imports, sources } from "./support/imports";

const inside = (directory: string) => (path: string) => path.startsWith(`${directory}/`);

/** Imports that a rule does not allow. */
function offending(directory: string, allowed: (to: string, from: string) => boolean): Import[] {
  return imports(directory).filter(({ to, from }) => !allowed(to, from));
}

test("the patterns find imports at all", () => {
  expect(imports("host/node")).toContainEqual({ from: "host/node/files/file.ts", to: "node:fs/promises" });
  expect(imports("host/core")).toContainEqual({ from: "host/core/api/errors.ts", to: "assembly/layout/status" });
  expect(imports("assembly").length).toBeGreaterThan(20);
});

test("assembly/layout is a leaf, and holds nothing but constants and the types of the ABI", () => {
  expect(imports("assembly/layout")).toEqual([]);
  const generated = "assembly/layout/exports.ts"; // types of the ABI
  for (const file of sources("assembly/layout").filter((name) => name !== generated)) {
    const text = readFileSync(file, "utf8");
    const code = text
      .replace(/= `[^`]*`/g, "= table")
      .replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "")
      .trim();
    for (const line of code.split("\n")) expect(line).toMatch(/^(export const \w+ = -?\w+;)?\s*$/);
  }
});

test("assembly imports only itself; a script that makes one of its files reads and writes", () => {
  const allowed = (to: string, from: string) =>
    inside("assembly")(to) || (from.endsWith(".mjs") && to.startsWith("node:"));
  expect(offending("assembly", allowed)).toEqual([]);
});

test("host/core imports itself, the layout, in one file the loader, and what the server is made with", () => {
  const allowed = (to: string, from: string) =>
    inside("host/core")(to) ||
    inside("assembly/layout")(to) ||
    (["hono", "hono/cors", "zod"].includes(to) && inside("host/core/server")(from)) ||
    (to === "@assemblyscript/loader" && from === "host/core/wasm/instantiate.ts");
  expect(offending("host/core", allowed)).toEqual([]);
});

test("host/core and quant name no runtime", () => {
  for (const file of [...sources("host/core"), ...sources("quant")]) {
    const code = readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
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
  const leaves = ["errors", "json", "names", "printable"].map((name) => `host/core/api/${name}`);
  const allowed = (to: string) => inside("host/core/hub")(to) || leaves.includes(to) || to === "host/core/gguf/parts";
  expect(offending("host/core/hub", allowed)).toEqual([]);
});

test("host/node builds on host/core; its commands on the public API", () => {
  const packages = ["commander", "cli-progress", "decimal.js", "@hono/node-server"];
  const allowed = (to: string, from: string) =>
    to.startsWith("node:") ||
    inside("host/node")(to) ||
    inside("host/core")(to) ||
    inside("quant")(to) ||
    to === "host/index" ||
    inside("assembly/layout")(to) ||
    (inside("host/mcp")(to) && from.startsWith("host/node/cli/")) ||
    (packages.includes(to) && from.startsWith("host/node/cli/")) ||
    (to.startsWith("@modelcontextprotocol/sdk/") && inside("host/node/cli/mcp")(from));
  expect(offending("host/node", allowed)).toEqual([]);
  const published = ["host/core/server/index", "host/core/receipt/index", "host/core/api/printable"];
  expect(offending("host/node/cli", (to) => !inside("host/core")(to) || published.includes(to))).toEqual([]);
});

test("host/mcp knows the SDK's types and the library's; whoever uses it has loaded the SDK", () => {
  const allowed = (to: string) =>
    inside("host/mcp")(to) || to === "host/index" || to.startsWith("@modelcontextprotocol/sdk/");
  expect(offending("host/mcp", allowed)).toEqual([]);
  for (const file of sources("host/mcp")) expect(readFileSync(file, "utf8")).not.toMatch(/^import \{.*"@model/m);
});

test("host/raspberry-pi builds on host/node and host/core; a board is told from its files alone", () => {
  const allowed = (to: string, from: string) =>
    from.endsWith("/index.ts") && (to === "node:fs" || /^host\/(node|core|raspberry-pi)\//.test(to));
  expect(offending("host/raspberry-pi", allowed)).toEqual([]);
});

test("host/deno is Node's sources and threads, and modules that Deno imports", () => {
  const allowed = (to: string) =>
    ["node:timers/promises", "node:worker_threads"].includes(to) ||
    [
      "files/prompt_folder",
      "model_availability",
      "options",
      "prepare",
      "prompt_api",
      "source",
      "threads/worker_threads",
    ]
      .map((name) => `host/node/${name}`)
      .includes(to) ||
    inside("host/deno")(to) ||
    inside("host/core")(to) ||
    to === "host/index";
  expect(offending("host/deno", allowed)).toEqual([]);
});

test("host/browser builds on host/core; what gets models of the hub also on quant", () => {
  const allowed = (to: string, from: string) =>
    inside("host/browser")(to) ||
    inside("host/core")(to) ||
    to === "host/index" ||
    (inside("quant")(to) && from === "host/browser/hub/thread.ts");
  expect(offending("host/browser", allowed)).toEqual([]);
});

test("host/page has Preact, Markdown and leaves of host/core; the library and MCP it loads when they are wanted", () => {
  const packages = ["preact", "preact/hooks", "marked", "dompurify"];
  const leaves = ["api/api", "api/printable", "hub/names", "stream/calls", "stream/sentences"].map(
    (name) => `host/core/${name}`,
  );
  const later = ["host/core/chat/reply_format", "host/core/grammar/shared/slices"];
  const allowed = (to: string, from: string) =>
    inside("host/page")(to) ||
    packages.includes(to) ||
    leaves.includes(to) ||
    to === "host/browser/index" ||
    to === "host/mcp/connection" ||
    to === "host/mcp/offer" ||
    (to === "zod" && from === "host/page/mcp/jitless.ts") ||
    (from === "host/page/mcp/bundle.ts" &&
      (inside("host/mcp")(to) || later.includes(to) || to.startsWith("@modelcontextprotocol/sdk/")));
  expect(offending("host/page", allowed)).toEqual([]);
});

test("host/wasi makes C of the layout, the host and its commands", () => {
  const sources = ["assembly/layout", "host/core", "host/node/cli"];
  expect(
    offending(
      "host/wasi",
      (to) => to === "commander" || inside("host/wasi")(to) || sources.some((name) => inside(name)(to)),
    ),
  ).toEqual([]);
});

test("host/cloudflare-workers builds on host/core, and imports compiled modules", () => {
  const allowed = (to: string) =>
    inside("host/cloudflare-workers")(to) || inside("host/core")(to) || to === "host/index";
  expect(offending("host/cloudflare-workers", allowed)).toEqual([]);
});
