// dist/wasi/zagreus.wasm in Node's WASI as Node's documentation runs a module: node --no-warnings plain.mjs DIR ARGUMENTS
// examples/wasi/README.md says which Node needs a flag for that.

import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";

const [directory, ...args] = process.argv.slice(2);
const wasi = new WASI({ version: "preview1", args: ["zagreus.wasm", ...args], preopens: { ".": directory } });
const module = new WebAssembly.Module(readFileSync(new URL("../../dist/wasi/zagreus.wasm", import.meta.url)));
process.exitCode = wasi.start(new WebAssembly.Instance(module, wasi.getImportObject()));
