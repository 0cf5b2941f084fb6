// Drives the core through its ABI with nothing but WebAssembly, so that core tests need no host.

import { readFileSync } from "node:fs";
import {
  ENCODE_LAST,
  INFO_BOS,
  INFO_VOCABULARY,
  IO_BYTES,
  KV_F32,
  LOGIT_ROWS,
  MAX_BATCH,
  RUN_BYTES,
  SAMPLER_BIAS,
  SAMPLER_BIAS_COUNT,
  SAMPLER_BYTES,
  SAMPLER_MASKED,
  SAMPLER_MIN_P,
  SAMPLER_NO_REPEAT_NGRAM,
  SAMPLER_PENALTY_COUNT,
  SAMPLER_REPETITION_PENALTY,
  SAMPLER_TEMPERATURE,
  SAMPLER_TOP_K,
  SAMPLER_TOP_P,
  TEXT_BYTES,
} from "../../assembly/layout/abi";
import type { CoreExports } from "../../assembly/layout/exports";
import * as status from "../../assembly/layout/status";
import { turn } from "./turn";
import type { Variant } from "./variants";

const { FIRST_ERROR, HEADER_READY, LOADED, OK } = status;

export interface LoadOptions {
  contextLength?: number;
  kvType?: number;
  memoryBudget?: number;
  sequences?: number;
  cacheBudget?: number;
  /** Lengths of the pieces the file is fed in, used in turn. */
  chunks?: readonly number[];
}

/** Sampler parameters; those left out are off. */
export interface Sampling {
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  noRepeatNgram?: number;
  logitBias?: ReadonlyMap<number, number>;
  /** What tokens lose. */
  penalties?: ReadonlyMap<number, number>;
  /** Tokens that may come at all. */
  allowed?: readonly number[];
}

export interface Failure {
  field: string;
  value: number;
  expected: number;
}

/** Name of a status code in layout/status.ts. */
export function statusName(code: number): string {
  const found = Object.entries(status).find(([name, value]) => value === code && name !== "FIRST_ERROR");
  return found?.[0] ?? `status ${code}`;
}

const modules = new Map<string, WebAssembly.Module>();

export function compiled(variant: Variant): WebAssembly.Module {
  let module = modules.get(variant.name);
  if (!module) {
    module = new WebAssembly.Module(readFileSync(variant.wasm));
    modules.set(variant.name, module);
  }
  return module;
}

/** A file in pieces of these lengths, used in turn. */
function* cut(file: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  for (let offset = 0, turn = 0; offset < file.length; turn++) {
    const piece = file.subarray(offset, offset + lengths[turn % lengths.length]!);
    offset += piece.length;
    yield piece;
  }
}

/** One instance of the core. */
export class Core {
  readonly exports: CoreExports;

  /** @param memory for a build with threads */
  constructor(variant: Variant | WebAssembly.Module, memory?: WebAssembly.Memory) {
    const module = variant instanceof WebAssembly.Module ? variant : compiled(variant);
    const { exports } = new WebAssembly.Instance(module, memory ? { env: { memory } } : {});
    this.exports = (memory ? { ...exports, memory } : exports) as unknown as CoreExports;
  }

  get memoryBytes(): number {
    return this.exports.memory.buffer.byteLength;
  }
  /** View of linear memory; valid until memory grows. */
  bytes(address: number, length: number): Uint8Array {
    return new Uint8Array(this.exports.memory.buffer, address, length);
  }
  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.exports.memory.buffer, address, length);
  }
  words(address: number, length: number): Uint32Array {
    return new Uint32Array(this.exports.memory.buffer, address, length);
  }
  failure(): Failure {
    const { exports: e } = this;
    return {
      field: new TextDecoder().decode(this.bytes(e.errorField(), e.errorFieldLength())),
      value: e.errorValue(),
      expected: e.errorExpected(),
    };
  }
  info(id: number): number {
    return this.exports.info(id);
  }

  /** Feeds a whole file; returns LOADED or the error. */
  load(file: Uint8Array, options: LoadOptions = {}): number {
    return this.loadPieces(cut(file, options.chunks ?? [IO_BYTES]), options);
  }
  /** The same for a file in pieces of at most IO_BYTES. */
  loadPieces(pieces: Iterable<Uint8Array>, options: LoadOptions = {}): number {
    const { contextLength = 0, kvType = KV_F32, memoryBudget = 0, sequences = 1, cacheBudget = 0 } = options;
    const { exports: e } = this;
    let code = e.begin(contextLength, kvType, memoryBudget, sequences, cacheBudget);
    for (const piece of pieces) {
      if (code >= FIRST_ERROR) return code;
      this.bytes(e.buffer(), piece.length).set(piece);
      code = e.feed(piece.length);
      while (code === HEADER_READY) code = e.plan();
    }
    return code < FIRST_ERROR ? e.end() : code;
  }
  /** Feeds a whole file that must load. */
  open(file: Uint8Array, options: LoadOptions = {}): this {
    const code = this.load(file, options);
    if (code !== LOADED) throw new Error(`${statusName(code)} ${JSON.stringify(this.failure())}`);
    return this;
  }

  /** Tokenizes UTF-8 text of any length. */
  encode(text: Uint8Array | string, flags = 0): number[] {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    const { exports: e } = this;
    const tokens: number[] = [];
    let at = 0;
    let end = 0;
    do {
      end = Math.min(bytes.length, at + TEXT_BYTES);
      this.bytes(e.buffer(), end - at).set(bytes.subarray(at, end));
      const count = e.encode(end - at, flags | (end === bytes.length ? ENCODE_LAST : 0));
      if (count < 0) throw new Error(statusName(-count));
      for (const token of this.words(e.tokens(), count)) tokens.push(token);
      at += e.encodeConsumed();
    } while (end < bytes.length);
    return tokens;
  }

  /** Runs up to MAX_BATCH tokens. */
  forward(tokens: ArrayLike<number>, position: number): number {
    this.words(this.exports.batch(), tokens.length).set(tokens);
    return this.exports.forward(tokens.length, position);
  }
  /** Begins a pass over runs of one sequence each. */
  beginRuns(...runs: { sequence?: number; position: number; tokens: readonly number[] }[]): number {
    const tokens = runs.flatMap((run) => run.tokens);
    this.words(this.exports.batch(), tokens.length).set(tokens);
    const records = this.words(this.exports.runs(), (runs.length * RUN_BYTES) / 4);
    records.set(runs.flatMap(({ sequence = 0, position, tokens }) => [sequence, position, tokens.length]));
    return this.exports.beginForward(runs.length);
  }
  /** Runs any number of tokens in batches, without logits. */
  prefill(tokens: readonly number[], position = 0, batch = MAX_BATCH): void {
    for (let at = 0; at < tokens.length; at += batch) {
      const code = this.forward(tokens.slice(at, at + batch), position + at);
      if (code !== OK) throw new Error(`${statusName(code)} ${JSON.stringify(this.failure())}`);
    }
  }
  /** Copies logits of the last batch: f32[count][vocabulary]. */
  rows(first: number, count: number): Float32Array[] {
    const vocabulary = this.info(INFO_VOCABULARY);
    const out: Float32Array[] = [];
    for (let row = first; row < first + count; row += LOGIT_ROWS) {
      const some = Math.min(LOGIT_ROWS, first + count - row);
      const address = this.exports.logits(row, some);
      if (address === 0) throw new Error(JSON.stringify(this.failure()));
      for (let i = 0; i < some; i++) out.push(this.floats(address + 4 * i * vocabulary, vocabulary).slice());
    }
    return out;
  }
  /** Logits at every position of a prompt that starts at `position`, fed in batches. */
  logits(tokens: readonly number[], batch = MAX_BATCH, position = 0): Float32Array[] {
    const out: Float32Array[] = [];
    for (let at = 0; at < tokens.length; at += batch) {
      const some = tokens.slice(at, at + batch);
      this.prefill(some, position + at, batch);
      out.push(...this.rows(0, some.length));
    }
    return out;
  }
  /** Writes the sampler's parameters; those not named are off. */
  sampling(parameters: Sampling = {}): void {
    const bias = [...(parameters.logitBias ?? [])];
    const view = new DataView(this.exports.memory.buffer, this.exports.sampler(0), SAMPLER_BYTES);
    view.setFloat32(SAMPLER_TEMPERATURE, parameters.temperature ?? 0, true);
    view.setInt32(SAMPLER_TOP_K, parameters.topK ?? 0, true);
    view.setFloat32(SAMPLER_TOP_P, parameters.topP ?? 1, true);
    view.setFloat32(SAMPLER_MIN_P, parameters.minP ?? 0, true);
    view.setFloat32(SAMPLER_REPETITION_PENALTY, parameters.repetitionPenalty ?? 1, true);
    view.setInt32(SAMPLER_NO_REPEAT_NGRAM, parameters.noRepeatNgram ?? 0, true);
    view.setInt32(SAMPLER_BIAS_COUNT, bias.length, true);
    bias.forEach(([token, value], i) => {
      view.setUint32(SAMPLER_BIAS + 8 * i, token, true);
      view.setFloat32(SAMPLER_BIAS + 8 * i + 4, value, true);
    });
    this.penalties(parameters.penalties);
    view.setInt32(SAMPLER_MASKED, parameters.allowed ? 1 : 0, true);
    const mask = new Uint8Array(
      this.exports.memory.buffer,
      this.exports.samplerMask(),
      (this.info(INFO_VOCABULARY) + 7) >> 3,
    );
    mask.fill(0);
    for (const token of parameters.allowed ?? []) mask[token >> 3]! |= 1 << (token & 7);
  }
  /** Has the next sample() take penalties from logits. */
  penalties(penalties: ReadonlyMap<number, number> = new Map()): void {
    const { memory, samplerPenalties, sampler } = this.exports;
    const list = new DataView(memory.buffer, samplerPenalties());
    [...penalties].forEach(([token, penalty], i) => {
      list.setUint32(8 * i, token, true);
      list.setFloat32(8 * i + 4, -penalty, true);
    });
    new DataView(memory.buffer, sampler(0)).setInt32(SAMPLER_PENALTY_COUNT, penalties.size, true);
  }
  /** The next token after the last batch, whose last token has index `row`. */
  next(row: number): number {
    this.exports.logits(row, 1);
    return this.exports.sample(0);
  }
  /** Fingerprint of some logits: the same only when they are the same to the bit. */
  fingerprint(): string {
    const rows = this.logits([this.info(INFO_BOS), 72, 101, 7, 0, 255]);
    return rows.map((row) => Buffer.from(row.buffer, row.byteOffset, row.byteLength).toString("base64")).join();
  }

  /**
   * Perplexity of a text over llama.cpp's windows: runs of `context` tokens that each begin with bos, of which positions
   * context / 2 to context - 2 are scored; the remainder is dropped. Yields behind every window.
   */
  async perplexity(text: Uint8Array, context: number): Promise<{ perplexity: number; nll: number; tokens: number }> {
    const bos = this.info(INFO_BOS);
    const all = [bos, ...this.encode(text)];
    let nll = 0;
    let tokens = 0;
    for (let start = 0; start + context <= all.length; start += context) {
      const window = [bos, ...all.slice(start + 1, start + context)];
      for (let at = 0; at < context; at += MAX_BATCH) {
        const size = Math.min(MAX_BATCH, context - at);
        this.prefill(window.slice(at, at + size), at);
        const scored = Math.max(at, context / 2);
        const end = Math.min(at + size, context - 1);
        for (let first = scored; first < end; first += LOGIT_ROWS) {
          const count = Math.min(LOGIT_ROWS, end - first);
          const address = this.exports.logits(first - at, count);
          const vocabulary = this.info(INFO_VOCABULARY);
          for (let row = 0; row < count; row++) {
            const target = window[first + row + 1]!;
            nll += this.exports.logSumExp(row) - this.floats(address + 4 * (row * vocabulary + target), 1)[0]!;
            tokens++;
          }
        }
      }
      await turn();
    }
    return { perplexity: Math.exp(nll / tokens), nll: nll / tokens, tokens };
  }
}

/** Bits of logits rows, to compare exactly. */
export function bits(rows: readonly Float32Array[]): Uint32Array[] {
  return rows.map((row) => new Uint32Array(row.buffer, row.byteOffset, row.length));
}

const fixture = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url));

/** The three files of zagreus-nano that llama.cpp's answers are known for. */
export const NANO = {
  F16: () => fixture("fixtures/models/zagreus-nano-F16.gguf"),
  Q8_0: () => fixture("../host/models/zagreus-nano-Q8_0.gguf"),
  Q4_0: () => fixture("fixtures/models/zagreus-nano-Q4_0.gguf"),
};
export type NanoType = keyof typeof NANO;

export const heldText = (language: "ita" | "eng") => fixture(`fixtures/text/held-${language}.txt`);
export { fixture };
