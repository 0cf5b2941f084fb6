// Text to tokens and back, over the core's window.

import {
  ENCODE_CONTINUED,
  ENCODE_LAST,
  ENCODE_SPECIAL,
  INFO_BLANK_FIRST,
  TEXT_BYTES,
} from "../../../assembly/layout/abi.js";
import { TOKEN_BYTE, TOKEN_CONTROL, TOKEN_NORMAL, TOKEN_USER_DEFINED } from "../../../assembly/layout/gguf.js";
import type { ModelInfo, Prompt, TokenizeOptions } from "../api/api.js";
import { invalidOption, ZagreusError } from "../api/errors.js";
import { END_TOKENS } from "../api/names.js";
import type { Core } from "../wasm/core.js";
import type { Engine } from "./engine.js";
import type { Pace } from "./pace.js";

const TOKENS_A_STEP = 1024;
const BLANK = 0x20;
/** Of a property that is like any other, also where it is called __proto__. */
const PLAIN = { enumerable: true, writable: true, configurable: true };

const encoder = new TextEncoder();

type EncodeOptions = Omit<TokenizeOptions, "bos">;

/**
 * Token ids of a text of any length; never adds bos. Lone surrogates and invalid UTF-8 become U+FFFD.
 * @throws ZagreusError INVALID_OPTION with `strict`, when bytes have no token and would be left out
 */
export function encode(core: Core, text: string | Uint8Array, options: EncodeOptions = {}): number[] {
  const steps = encoding(core, text, options);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** The same; others get their turn before each piece of a long text. @throws also what `pace` throws */
export async function encodeInSlices(
  engine: Engine,
  text: string | Uint8Array,
  options: EncodeOptions,
  pace: Pace,
): Promise<number[]> {
  const steps = encoding(engine.core, text, options);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await engine.turnInLine(pace);
  }
}

/** Stops before each piece of a text of several. */
function* encoding(
  core: Core,
  text: string | Uint8Array,
  { special, continues, strict }: EncodeOptions,
): Generator<void, number[]> {
  const bytes = typeof text === "string" ? encoder.encode(text) : text;
  const tokens: number[] = [];
  let at = 0;
  let missing = 0;
  let goingOn = continues ? ENCODE_CONTINUED : 0;
  while (at < bytes.length) {
    if (bytes.length > TEXT_BYTES) yield;
    const piece = bytes.subarray(at, at + TEXT_BYTES);
    const last = at + piece.length === bytes.length;
    core.write(piece);
    const flags = (special ? ENCODE_SPECIAL : 0) | (last ? ENCODE_LAST : 0) | goingOn;
    const count = core.counted(core.exports.encode(piece.length, flags));
    for (const token of core.words(core.exports.tokens(), count)) tokens.push(token);
    at += core.exports.encodeConsumed();
    missing += core.exports.encodeDropped();
    goingOn = core.exports.encodeContinued();
  }
  if (!strict || missing === 0) return tokens;
  const message = `${missing} bytes of the text have no token`;
  throw new ZagreusError("INVALID_OPTION", message, { field: "text", value: missing });
}

/** Whether text behind these tokens goes on with theirs: SentencePiece puts a blank before it otherwise. */
export function endsInText(core: Core, tokens: readonly number[]): boolean {
  const type = tokens.length > 0 ? core.exports.tokenType(tokens.at(-1)!) : TOKEN_CONTROL;
  return type === TOKEN_NORMAL || type === TOKEN_BYTE;
}

/**
 * The text of tokens, with or without control tokens.
 * @param continues whether they follow others: what begins a text loses the blank that SentencePiece has put before it
 */
export function decode(core: Core, tokens: readonly number[], special: boolean, continues = true): string {
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  let text = "";
  let first = !continues && core.exports.info(INFO_BLANK_FIRST) === 1;
  for (const token of tokens) {
    if (!special && core.exports.tokenType(token) === TOKEN_CONTROL) continue;
    const count = core.counted(core.exports.tokenBytes(token));
    const blank = first && count > 0 && core.exports.tokenType(token) === TOKEN_NORMAL && core.read(1)[0] === BLANK;
    first = first && count === 0;
    text += utf8.decode(core.read(count).subarray(blank ? 1 : 0), { stream: true });
  }
  return text + utf8.decode();
}

/** Tokens that end a generation: those the file names, and control tokens with a known name. */
export function endTokens(core: Core, named: readonly number[], vocabulary: number): number[] {
  const ends = new Set(named.filter((id) => Number.isInteger(id) && id >= 0 && id < vocabulary));
  for (const name of END_TOKENS) {
    const bytes = encoder.encode(name);
    core.write(bytes);
    const id = core.exports.findToken(bytes.length);
    if (id >= 0 && core.exports.tokenType(id) === TOKEN_CONTROL) ends.add(id);
  }
  return [...ends].sort((a, b) => a - b);
}

/** Ids of the control tokens and of the user-defined ones, by their text. */
export async function markers(
  core: Core,
  vocabulary: number,
  pace: Pace,
): Promise<Pick<ModelInfo["tokenizer"], "special" | "userDefined">> {
  const special: Record<string, number> = {};
  const userDefined: Record<string, number> = {};
  const lists = new Map([
    [TOKEN_CONTROL, special],
    [TOKEN_USER_DEFINED, userDefined],
  ]);
  for (let token = 0; token < vocabulary; token++) {
    if (token % TOKENS_A_STEP === 0) await pace.yield();
    const list = lists.get(core.exports.tokenType(token));
    if (list) Object.defineProperty(list, decode(core, [token], true), { value: token, ...PLAIN });
  }
  return { special, userDefined };
}

/**
 * The sequence that a prompt makes after `before`. Text at the very start gets bos if the model wants it.
 * @throws ZagreusError INVALID_OPTION when nothing at all comes out; what `pace` throws
 */
export async function promptTokens(
  engine: Engine,
  prompt: Prompt,
  pace: Pace,
  before: readonly number[] = [],
): Promise<number[]> {
  const sequence = [...before];
  if (typeof prompt === "string") {
    const { addBos, bos } = engine.info.tokenizer;
    if (sequence.length === 0 && addBos && bos !== undefined) sequence.push(bos);
    const options = { continues: endsInText(engine.core, sequence) };
    for (const token of await encodeInSlices(engine, prompt, options, pace)) sequence.push(token);
  } else {
    for (const token of Array.from(prompt)) sequence.push(token);
  }
  if (sequence.length === 0) throw invalidOption("prompt", prompt, "at least one token");
  return sequence;
}
