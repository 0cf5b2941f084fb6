// Builds dist/wasi/: the core and a launcher in C, joined to one module with one memory that is a WASI command and what a host embeds, once
// for every engine and once with relaxed SIMD; the header of the latter's contract; SHA-256 of all of them.
//
// Needs a C compiler for WASI: Debian's, or a wasi-sdk folder named by WASI_SDK_PATH.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import binaryen from "binaryen";
import { build } from "esbuild";
import { node } from "./node.mjs";

const { options, targets } = JSON.parse(readFileSync("asconfig.json", "utf8"));
const { memoryBase } = targets.wasi; // where the launcher's memory ends and the core's begins
const PAGE = 65536;
const FEATURES = ["simd", "bulk-memory", "sign-ext", "nontrapping-float-to-int", "mutable-globals"];
const FOLDER = "dist/wasi";
const HEADER = "zagreus_abi.h";
/** Files by the target of asconfig.json that their core is. */
const MODULES = { wasi: "zagreus.wasm", "wasi-relaxed": "zagreus-relaxed.wasm" };

const work = mkdtempSync(join(tmpdir(), "zagreus-wasi-"));
const path = (name) => join(work, name);
const run = (command, ...args) => execFileSync(command, args, { stdio: ["ignore", 2, 2] });
const read = (name) => binaryen.readBinary(readFileSync(path(name)));

/** Builds them; returns the files that went in and those that came out. */
export async function buildWasi(version) {
  try {
    const compiler = findCompiler();
    const compile = (target) => node("host/build/asc.mjs", "assembly/index.ts", "--target", target, "-o", path(target));
    const cores = await Promise.all(Object.keys(MODULES).map(compile));
    const { inputs, contract } = await writeHeaders(version);
    mkdirSync(FOLDER, { recursive: true });
    for (const [target, name] of Object.entries(MODULES)) {
      const isRelaxed = target !== "wasi";
      compileLauncher(compiler, contract.functions, isRelaxed);
      writeFileSync(`${FOLDER}/${name}`, merged(target, ["_start", "memory", ...contract.functions], isRelaxed));
    }
    writeFileSync(`${FOLDER}/${HEADER}`, contract.header);
    const files = [...Object.values(MODULES), HEADER];
    writeFileSync(`${FOLDER}/SHA256SUMS`, files.map((name) => `${sha256(`${FOLDER}/${name}`)}  ${name}\n`).join(""));
    const launcher = sourcesOf(/\.[ch]$/).map((name) => `host/wasi/${name}`);
    const core = cores.flatMap((read) => read.split("\n").filter(Boolean));
    return {
      inputs: [...core, ...inputs, ...launcher],
      outputs: [...files, "SHA256SUMS"].map((name) => `${FOLDER}/${name}`),
    };
  } finally {
    rmSync(work, { recursive: true });
  }
}

const sha256 = (file) => createHash("sha256").update(readFileSync(file)).digest("hex");
const sourcesOf = (pattern) => readdirSync("host/wasi", { recursive: true }).filter((name) => pattern.test(name));

/** The launcher and a core as one module that exports these names. */
function merged(target, names, isRelaxed) {
  const features = [...FEATURES, ...(isRelaxed ? ["relaxed-simd"] : [])].map((feature) => `--enable-${feature}`);
  const inputs = [path("launcher.wasm"), "env", path(target), "core"];
  const merge = ["node_modules/binaryen/bin/wasm-merge", ...inputs, "-o", path("merged.wasm")];
  run(process.execPath, ...merge, "--skip-export-conflicts", ...features);
  return withExports(read("merged.wasm"), names);
}

/** The command and the arguments that compile C for WASI. */
function findCompiler() {
  const sdk = process.env.WASI_SDK_PATH;
  const compiler = sdk ? [join(sdk, "bin/clang"), `--sysroot=${join(sdk, "share/wasi-sysroot")}`] : ["clang"];
  const source = path("probe.c");
  writeFileSync(source, "#include <wasi/api.h>\nint main(void) { return 0; }\n");
  try {
    execFileSync(compiler[0], [...compiler.slice(1), "--target=wasm32-wasi", source, "-o", path("probe.wasm")]);
    return compiler;
  } catch (error) {
    const reason = error.code === "ENOENT" ? `there is no ${compiler[0]}` : "see above";
    throw new Error(`No C compiler for WASI (${reason}). Install one:
  Debian, Ubuntu: apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32
  elsewhere:      https://github.com/WebAssembly/wasi-sdk, and set WASI_SDK_PATH to its folder`);
  }
}

/** Writes what the launcher knows about the core and about the Node command; returns the sources of that, and the contract with embedders. */
async function writeHeaders(version) {
  const { metafile } = await build({
    entryPoints: ["host/wasi/generate.ts"],
    outfile: path("generate.mjs"),
    bundle: true,
    metafile: true,
    platform: "node",
    format: "esm",
    logLevel: "warning",
    define: { ZAGREUS_VERSION: JSON.stringify(version) },
    // CommonJS packages in the bundle call require().
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
  const generate = await import(pathToFileURL(path("generate.mjs")));
  const commands = generate.wasiCommands();
  writeFileSync(path("core.h"), generate.coreHeader(functionExports(read("wasi"))));
  writeFileSync(path("layout.h"), generate.layoutHeader(commands));
  writeFileSync(path("tables.h"), generate.tablesHeader(commands, version));
  const contract = { header: generate.contractHeader(), functions: generate.FUNCTIONS };
  writeFileSync(path(HEADER), contract.header);
  return { inputs: Object.keys(metafile.inputs), contract };
}

function functionExports(module) {
  const names = new Map([
    [binaryen.i32, "i32"],
    [binaryen.i64, "i64"],
    [binaryen.f64, "f64"],
  ]);
  const exports = Array.from({ length: module.getNumExports() }, (_, i) =>
    binaryen.getExportInfo(module.getExportByIndex(i)),
  );
  return exports
    .filter(({ kind }) => kind === binaryen.ExternalFunction)
    .map(({ name, value }) => {
      const { params, results } = binaryen.getFunctionInfo(module.getFunction(value));
      return {
        name,
        parameters: binaryen.expandType(params).map((type) => names.get(type)),
        result: names.get(results),
      };
    });
}

function compileLauncher([clang, ...sysroot], exported, isRelaxed) {
  const target = [...sysroot, "--target=wasm32-wasi"];
  const warnings = ["-Wall", "-Wextra", "-Werror=switch", "-Werror=implicit-function-declaration"];
  const code = ["-std=c11", "-Os", "-msign-ext", "-mnontrapping-fptoint", "-I", work, "-I", "host/wasi"];
  const defines = [`-DZAGREUS_RELAXED=${Number(isRelaxed)}`];
  const sources = sourcesOf(/\.c$/);
  const objects = sources.map((name) => path(`${name.replaceAll("/", "-")}.o`));
  sources.forEach((name, i) => {
    run(clang, ...target, ...warnings, ...code, ...defines, "-c", `host/wasi/${name}`, "-o", objects[i]);
  });
  // Linked without -O, with which clang would call any wasm-opt that it finds.
  const memory = [
    `-Wl,--initial-memory=${options.initialMemory * PAGE}`,
    "-Wl,-z,stack-size=65536",
    "-Wl,--stack-first",
  ];
  const symbols = [...exported, "__heap_base"].map((name) => `-Wl,--export=${name}`);
  run(clang, ...target, ...objects, ...memory, ...symbols, "-Wl,--strip-all", "-o", path("launcher.wasm"));
  const module = read("launcher.wasm");
  const heapBase = binaryen.getGlobalInfo(
    module.getGlobal(binaryen.getExportInfo(module.getExport("__heap_base")).value),
  );
  const { value: end } = binaryen.getExpressionInfo(heapBase.init);
  if (end > memoryBase)
    throw new Error(`the launcher needs ${end} bytes, memoryBase in asconfig.json is ${memoryBase}`);
}

/** Keeps what these exports use. */
function withExports(module, exported) {
  const names = Array.from(
    { length: module.getNumExports() },
    (_, i) => binaryen.getExportInfo(module.getExportByIndex(i)).name,
  );
  for (const name of names) if (!exported.includes(name)) module.removeExport(name);
  module.runPasses(["remove-unused-module-elements"]);
  if (module.getNumTables() > 1) throw new Error("the launcher has function pointers; small engines have one table");
  return module.emitBinary();
}
