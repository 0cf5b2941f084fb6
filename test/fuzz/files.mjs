// Small model files with some damage: GGUF, and the checkpoints that quantize() takes. Each is refused with a code, or loaded and run, and
// costs what its bytes are worth.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { load } from "zagreus-edge";

const { Checkpoints, tinyModel, writeGguf } = await sources();
const checkpoints = new Checkpoints({
  nano: new URL("../fixtures/zagreus-nano-hf/", import.meta.url),
  quantizer: new URL("../../dist/zagreus-quantizer.wasm", import.meta.url),
});

/** Milliseconds of processor time for a file, and for each MB of it. */
const MAX_MS = 500;
const MAX_MS_A_MB = 300;
/** Bytes of the heap for a file, and for each byte of it. */
const MAX_HEAP = 64 * 2 ** 20;
const MAX_HEAP_A_BYTE = 32;
const NUMBERS = [0, 1, 2, 3, 31, 32, 33, 255, 256, 4096, 65535, 65536, 2 ** 21, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, -1];

/** One file. @param random gives numbers from 0 up to 1 @param watch does what it is given @throws Error for what costs too much, or fails without a code */
export async function run(random, watch) {
  const [what, bytes, read] = random() < 0.7 ? gguf(random) : checkpoint(random);
  const heap = process.memoryUsage().heapUsed;
  const begun = process.cpuUsage();
  try {
    await watch(read);
  } catch (error) {
    if (error?.name !== "ZagreusError") throw new Error(`${what}: ${error?.stack ?? error}`, { cause: error });
  }
  const { user, system } = process.cpuUsage(begun);
  const ms = (user + system) / 1000;
  if (ms > MAX_MS + (MAX_MS_A_MB * bytes) / 2 ** 20) throw new Error(`${what} of ${bytes} bytes takes ${ms} ms`);
  if (process.memoryUsage().heapUsed - heap <= MAX_HEAP + MAX_HEAP_A_BYTE * bytes) return;
  globalThis.gc?.();
  const grown = process.memoryUsage().heapUsed - heap;
  if (grown > MAX_HEAP + MAX_HEAP_A_BYTE * bytes) throw new Error(`${what} of ${bytes} bytes takes ${grown} bytes`);
}

const below = (n, random) => Math.floor(random() * n);
const one = (list, random) => list[below(list.length, random)];

function gguf(random) {
  const file = tinyModel({
    layers: 1 + below(2, random),
    seed: below(100, random),
    tied: random() < 0.5,
    extraTokens: one([0, 1, 100, 3000], random),
    alignment: one([undefined, undefined, 8, 64], random),
    shuffleTensors: random() < 0.2,
    unknownKeys: random() < 0.2,
  });
  if (random() < 0.3) repeat(file, random);
  const { bytes, headerBytes } = writeGguf(file);
  const damaged = random() < 0.9 ? damage(bytes, headerBytes, random) : bytes;
  return ["GGUF", damaged.length, () => use(damaged)];
}

/** Many entries or tensors of the same, or nearly the same, name. */
function repeat(file, random) {
  const { metadata, tensors } = file;
  delete file.dataOrder;
  const list = random() < 0.5 ? metadata : tensors;
  const field = list === metadata ? "key" : "name";
  const source = one(list, random);
  const suffix = random() < 0.5 ? "" : "x".repeat(below(40, random));
  for (let i = below(1000, random); i > 0; i--) list.push({ ...source, [field]: `${source[field]}${suffix}${i}` });
}

function damage(bytes, headerBytes, random) {
  const damaged = bytes.slice();
  const view = new DataView(damaged.buffer);
  for (let i = below(4, random); i >= 0; i--) {
    const at = below(random() < 0.8 ? headerBytes : damaged.length, random);
    if (random() < 0.5) damaged[at] = below(256, random);
    else if (at + 8 <= damaged.length) view.setBigInt64(at, BigInt(one(NUMBERS, random)), true);
  }
  return random() < 0.2 ? damaged.subarray(0, below(damaged.length, random)) : damaged;
}

async function use(bytes) {
  const model = await load(bytes, { threads: 1, build: "simd", memoryBudget: 2 ** 28 });
  try {
    await model.complete("ab", { maxTokens: 2 }).text();
  } finally {
    model.close();
  }
}

function checkpoint(random) {
  const files = checkpoints.files(random);
  const type = one(["q8_0", "q4_0"], random);
  const bytes = [...files.values()].reduce((sum, { length }) => sum + length, 0);
  const read = async () => use(await checkpoints.quantize(files, type));
  return ["checkpoint", bytes, read];
}

/** What lies in TypeScript, as it is. */
async function sources() {
  const contents = `
    export * from "./test/support/models/gguf_writer.ts";
    export { Checkpoints } from "./test/fuzz/checkpoints.ts";
  `;
  const resolveDir = new URL("../..", import.meta.url).pathname;
  const folder = mkdtempSync(join(tmpdir(), "fuzz-"));
  try {
    const outfile = join(folder, "sources.mjs");
    await build({ stdin: { contents, resolveDir }, bundle: true, format: "esm", platform: "node", outfile });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
