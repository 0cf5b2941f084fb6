// The core's exports, typed; the only file that knows AssemblyScript's loader.

import { instantiate as instantiateModule } from "@assemblyscript/loader";
import { ZagreusError } from "../api/errors.js";

/** The ABI of assembly/index.ts. Addresses are bytes in `memory`. */
export type CoreExports = {
  memory: WebAssembly.Memory;

  // Loading
  buffer(): number;
  begin(contextLength: number, kvType: number, memoryBudget: number): number;
  feed(length: number): number;
  plan(): number;
  end(): number;
  errorField(): number;
  errorFieldLength(): number;
  errorValue(): number;
  errorExpected(): number;
  info(id: number): number;
  metadataCount(): number;
  metadataEntry(index: number): number;
  tensorCount(): number;
  tensorEntry(index: number): number;

  // Threads
  setThreads(count: number, mayBlock: number): void;
  stopThreads(): void;

  // Tokenizer
  encode(length: number, flags: number): number;
  encodeConsumed(): number;
  tokens(): number;
  tokenBytes(id: number): number;
  tokenType(id: number): number;
  findToken(length: number): number;
  pieceReset(): void;
  pieceAppend(token: number): number;
  pieceFlush(): number;

  // Running
  batch(): number;
  forward(count: number, position: number): number;
  logits(first: number, count: number): number;
  hidden(first: number, count: number): number;
  sampler(): number;
  samplerMask(): number;
  seed(value: bigint): void;
  sample(row: number): number;
  top(row: number, k: number): number;
  logSumExp(row: number): number;
  history(): number;
  kvSegments(): number;
  kvSegment(index: number): number;
  kvSegmentBytes(index: number, positions: number): number;
  kvSetLength(length: number): number;
  modelHash(): bigint;
  hash(length: number, seed: bigint): bigint;
};

/** A new instance of the core: room for one model. Builds with threads import their memory. */
export async function instantiate(module: WebAssembly.Module, memory?: WebAssembly.Memory): Promise<CoreExports> {
  const { exports } = await instantiateModule<CoreExports>(module, memory ? { env: { memory } } : {});
  return exports;
}

const INITIAL_PAGES = 32; // initialMemory in asconfig.json
const MOST_PAGES = 65536;
const LEAST_PAGES = 1024;

/**
 * Memory for a build with threads. Engines that cannot set aside the whole address space get by with less.
 * @throws ZagreusError OUT_OF_MEMORY
 */
export function sharedMemory(): WebAssembly.Memory {
  for (let maximum = MOST_PAGES; ; maximum /= 2) {
    try {
      return new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared: true });
    } catch (error) {
      if (maximum > LEAST_PAGES) continue;
      throw new ZagreusError("OUT_OF_MEMORY", "no memory that threads can share", { cause: error });
    }
  }
}
