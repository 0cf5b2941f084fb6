// The core's exports, typed; the only file that knows AssemblyScript's loader.

import { instantiate as instantiateModule } from "@assemblyscript/loader";

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
  sampler(): number;
  seed(value: bigint): void;
  sample(): number;
  top(row: number, k: number): number;
  logSumExp(row: number): number;
  history(): number;
  kvSegments(): number;
  kvSegment(index: number): number;
  kvSegmentStride(index: number): number;
  kvSetLength(length: number): number;
  modelHash(): bigint;
  hash(length: number, seed: bigint): bigint;
};

/** A compiled core or its bytes. */
export type CoreModule = WebAssembly.Module | BufferSource;

/** A new instance of the core: room for one model. */
export async function instantiate(module: CoreModule): Promise<CoreExports> {
  const { exports } = await instantiateModule<CoreExports>(module, {});
  return exports;
}
