// Kernels are chosen by the clock (KERNEL_* in assembly/layout/abi.ts), so whatever runs has to give the same bits: builds, streams, pairs,
// dots, threads and sizes of batches, drawn at random, against one token at a time on the baseline.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import {
  INFO_VOCABULARY,
  KERNEL_ADD,
  KERNEL_ALONE,
  KERNEL_BYTES_SIGNED,
  KERNEL_BYTES_UNSIGNED,
  KERNEL_STREAMS_FEW,
  KERNEL_STREAMS_ONE,
  KV_INT4,
  KV_INT8,
  MAX_BATCH,
} from "../../assembly/layout/abi";
import { TYPE_F16, TYPE_Q4_0, TYPE_Q4_1, TYPE_Q8_0 } from "../../assembly/layout/blocks";
import { Core, compiled } from "../support/core";
import { type TinyOptions, tinyModel, writeGguf } from "../support/models/gguf_writer";
import { turn } from "../support/turn";
import { BASELINE, VARIANTS } from "../support/variants";
import { withEightBitDot } from "./relaxed_dot";

const POSITIONS = 160;
const STREAMS = [0, KERNEL_STREAMS_ONE, KERNEL_STREAMS_FEW, KERNEL_STREAMS_ONE | KERNEL_STREAMS_FEW];

/** The widths of a 135M Llama, whose matrices are small and do not end with a tile; a few types share inputs. */
const shape = { hidden: 576, heads: 9, kvHeads: 3, headSize: 64, ffn: 1536, layers: 1, extraTokens: 750, context: 256 };
const MODELS = {
  q4_0: { ...shape, types: TYPE_Q4_0 },
  q4_1: { ...shape, types: TYPE_Q4_1 },
  q8_0: { ...shape, types: TYPE_Q8_0 },
  mixed: {
    ...shape,
    types: { token_embd: TYPE_Q4_0, attn_q: TYPE_Q4_0, attn_k: TYPE_Q4_1, attn_v: TYPE_F16, ffn_up: TYPE_Q4_1 },
  },
  small: { types: TYPE_Q4_0, extraTokens: 5, context: 256 },
} satisfies Record<string, TinyOptions>;
type ModelName = keyof typeof MODELS;
const NAMES = Object.keys(MODELS) as ModelName[];

/** A build in an engine, and the kernels that are right there. */
interface Machine {
  name: string;
  module: WebAssembly.Module;
  threads: number;
  kernels: number[];
}

const machines: Machine[] = [];
for (const variant of VARIANTS) {
  const relaxed = variant.name === "relaxed";
  const dots = relaxed ? [0, KERNEL_ADD] : [0];
  machines.push({ name: variant.name, module: compiled(variant), threads: 1, kernels: dots });
  const shared = { name: `${variant.name}-mt`, wasm: variant.wasm.replace(".wasm", "-mt.wasm") };
  for (const threads of [1, 2, 3, 4]) {
    machines.push({ name: `${shared.name} ${threads}`, module: compiled(shared), threads, kernels: dots });
  }
  if (!relaxed) continue;
  const binary = readFileSync(variant.wasm);
  for (const [sign, kernel] of [
    ["signed", KERNEL_BYTES_SIGNED],
    ["unsigned", KERNEL_BYTES_UNSIGNED],
  ] as const) {
    const kernels = [kernel, kernel | KERNEL_ADD];
    machines.push({ name: `relaxed, ${sign} bytes`, module: withEightBitDot(binary, sign), threads: 1, kernels });
  }
}

const THREAD = `
  const { module, memory, index } = require("node:worker_threads").workerData;
  new WebAssembly.Instance(module, { env: { memory } }).exports.work(index);`;
const workers: Worker[] = [];
const cores = new Map<string, Core>();
const reference = new Map<string, string[]>();

function core({ name, module, threads }: Machine, model: ModelName, kvType: number): Core {
  const key = `${name} ${model} ${kvType}`;
  const known = cores.get(key);
  if (known) return known;
  const shared = WebAssembly.Module.imports(module).length > 0;
  const memory = shared ? new WebAssembly.Memory({ initial: 32, maximum: 4096, shared: true }) : undefined;
  const made = new Core(module, memory);
  made.exports.setThreads(threads, 1);
  for (let index = 1; index < threads; index++) {
    workers.push(new Worker(THREAD, { eval: true, workerData: { module, memory, index } }));
  }
  cores.set(key, made.open(fileOf(model), { kvType }));
  return made;
}

const files = new Map<ModelName, Uint8Array>();

/** Made when it is wanted: all of them at once would hold the event loop. */
function fileOf(model: ModelName): Uint8Array {
  const file = files.get(model) ?? writeGguf(tinyModel(MODELS[model])).bytes;
  files.set(model, file);
  return file;
}

const tokensOf = (vocabulary: number) => Array.from({ length: POSITIONS }, (_, i) => (i * i * 31 + i * 7) % vocabulary);
const hashes = (rows: Float32Array[]) =>
  rows.map((row) => createHash("sha256").update(new Uint8Array(row.buffer)).digest("hex"));

async function expected(model: ModelName, kvType: number): Promise<string[]> {
  const known = reference.get(`${model} ${kvType}`);
  if (known) return known;
  const plain = new Core(BASELINE[0]!).open(fileOf(model), { kvType });
  plain.exports.setKernels(0);
  const rows: string[] = [];
  for (const [position, token] of tokensOf(plain.info(INFO_VOCABULARY)).entries()) {
    rows.push(...hashes(plain.logits([token], 1, position)));
    if (position % 32 === 0) await turn();
  }
  reference.set(`${model} ${kvType}`, rows);
  return rows;
}

afterAll(async () => {
  for (const { exports } of cores.values()) exports.stopThreads();
  await Promise.all(workers.map((worker) => worker.terminate()));
});

const batches = fc.array(fc.tuple(fc.integer({ min: 1, max: MAX_BATCH }), fc.nat()), { minLength: 1, maxLength: 5 });

const CASES = NAMES.flatMap((model) => [
  { model, kv: "int8", kvType: KV_INT8 },
  { model, kv: "int4", kvType: KV_INT4 },
]);

test.each(CASES)("$model, $kv: the same bits whatever runs", { timeout: 300_000 }, async ({ model, kvType }) => {
  const rows = await expected(model, kvType);
  expect(new Set(rows).size).toBe(POSITIONS);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...machines), batches, async (machine, sizes) => {
      await turn();
      const driven = core(machine, model, kvType);
      const tokens = tokensOf(driven.info(INFO_VOCABULARY));
      let at = 0;
      for (const [size, drawn] of sizes) {
        const dot = machine.kernels[drawn % machine.kernels.length]!;
        const streams = STREAMS[(drawn >> 3) % STREAMS.length]!;
        const kernels = dot | streams | ((drawn >> 6) % 3 === 0 ? KERNEL_ALONE : 0);
        driven.exports.setKernels(kernels);
        const batch = tokens.slice(at, at + size);
        if (batch.length === 0) break;
        const what = `${machine.name}, kernels ${kernels}, ${batch.length} tokens at ${at}`;
        expect(hashes(driven.logits(batch, MAX_BATCH, at)), what).toEqual(rows.slice(at, at + batch.length));
        at += batch.length;
      }
    }),
    { numRuns: 40 },
  );
});

test.each(machines.map((machine) => [machine.name, machine] as const))(
  "%s: every kernel, every size",
  async (_, machine) => {
    for (const model of ["q4_0", "q4_1", "q8_0"] as const) {
      const rows = await expected(model, KV_INT8);
      const driven = core(machine, model, KV_INT8);
      const tokens = tokensOf(driven.info(INFO_VOCABULARY));
      for (const dot of machine.kernels) {
        for (const streams of STREAMS) {
          driven.exports.setKernels(dot | streams);
          for (const size of [1, 2, 3, 8, 9, 64]) {
            const what = `kernels ${dot | streams}, ${size} tokens`;
            expect(hashes(driven.logits(tokens.slice(0, size), MAX_BATCH, 0)), what).toEqual(rows.slice(0, size));
          }
          await turn();
        }
      }
    }
  },
);
