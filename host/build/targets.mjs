// What there is to build. A target has a name, the settings that its outputs depend on beside its input files (versions
// and options), and make(), which builds it and says which files it read and which it wrote.

import { appendFileSync, readFileSync, rmSync } from "node:fs";
import { relative } from "node:path";
import { reachable } from "./declarations.mjs";
import { node } from "./node.mjs";

const json = (path) => JSON.parse(readFileSync(path, "utf8"));
const versionOf = (name) => json(`node_modules/${name}/package.json`).version;
const asconfig = () => json("asconfig.json");
const PAGE_PACKAGES = ["esbuild", "preact", "marked", "dompurify", "@modelcontextprotocol/sdk", "zod"];
const ENTRIES = { quantizer: "assembly/quantizer/index.ts", calibrate: "assembly/calibrate.ts" };

/** The core for one target of asconfig.json. */
const core = (target) => ({
  name: `core:${target}`,
  settings: () => [versionOf("assemblyscript"), asconfig().options, asconfig().targets[target], label(target)],
  async make() {
    const entry = ENTRIES[target] ?? "assembly/index.ts";
    const read = await node("host/build/asc.mjs", entry, "--target", target);
    appendFileSync(asconfig().targets[target].outFile, label(target));
    return { inputs: ["host/build/asc.mjs", ...lines(read)], outputs: [asconfig().targets[target].outFile] };
  },
});

/** A custom section that says which version and build this is, for those who are handed a core: host/core/wasm/brought_cores.ts. */
function label(build) {
  if (build in ENTRIES) return "";
  const text = (value) => [Buffer.byteLength(value), ...Buffer.from(value)];
  const content = [...text("zagreus-edge"), ...Buffer.from(`${json("package.json").version} ${build}`)];
  return Buffer.from([0, content.length, ...content]); // lengths below 128 are one byte
}

/** The library, the command and their workers. */
const bundles = {
  name: "ts",
  settings: () => [versionOf("esbuild"), json("package.json").version],
  async make() {
    const { buildBundles } = await import("./bundles.mjs");
    const { inputs, outputs } = await buildBundles(json("package.json").version);
    return { inputs: ["host/build/bundles.mjs", "tsconfig.json", ...inputs], outputs };
  },
};

/** The chat page. */
const page = {
  name: "page",
  settings: () => [...PAGE_PACKAGES.map(versionOf), json("package.json").version],
  async make() {
    const { buildPage } = await import("./page.mjs");
    const { inputs, outputs } = await buildPage(json("package.json").version);
    return { inputs: ["host/build/page.mjs", "host/build/bundles.mjs", "tsconfig.json", ...inputs], outputs };
  },
};

/** Their declarations. */
const types = {
  name: "types",
  settings: () => [versionOf("typescript"), json("package.json").exports],
  async make() {
    const project = "tsconfig.types.json";
    const output = await node(
      "node_modules/typescript/bin/tsc",
      ...["-p", project, "--listFiles", "--listEmittedFiles"],
    );
    const emitted = /^TSFILE: /;
    const [outputs, inputs] = [true, false].map((wanted) =>
      lines(output)
        .filter((line) => emitted.test(line) === wanted)
        .map((line) => relative("", line.replace(emitted, ""))),
    );
    const visible = reachable(declarations(json("package.json").exports));
    for (const file of outputs) if (!visible.has(file)) rmSync(file);
    return { inputs: [project, "tsconfig.json", "host/build/declarations.mjs", ...inputs], outputs: [...visible] };
  },
};

/** The WASI command and reactor, plain and relaxed, with its header; it needs a C compiler. */
const wasi = {
  name: "wasi",
  optional: true,
  settings: () => [
    ...["assemblyscript", "binaryen", "esbuild"].map(versionOf),
    asconfig().options,
    asconfig().targets.wasi,
    asconfig().targets["wasi-relaxed"],
    json("package.json").version,
    process.env.WASI_SDK_PATH ?? "",
  ],
  async make() {
    const { buildWasi } = await import("./wasi.mjs");
    const { inputs, outputs } = await buildWasi(json("package.json").version);
    return { inputs: ["host/build/asc.mjs", "host/build/wasi.mjs", ...inputs], outputs };
  },
};

export const TARGETS = [
  types, // takes longest
  ...Object.keys(asconfig().targets)
    .filter((target) => !target.startsWith("wasi")) // part of zagreus.wasm
    .map(core),
  bundles,
  page,
  wasi,
];

/** The declaration files that package.json's exports name. */
function declarations(target) {
  if (typeof target !== "string") return Object.values(target).flatMap(declarations);
  return target.endsWith(".d.ts") ? [target.replace("./", "")] : [];
}

const lines = (text) => text.split("\n").filter(Boolean);
