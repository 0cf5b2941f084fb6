// Text to tokens and back, over the core's window.

import { ENCODE_LAST, ENCODE_SPECIAL, TEXT_BYTES } from "../../../assembly/layout/abi.js";
import { TOKEN_CONTROL, TOKEN_USER_DEFINED } from "../../../assembly/layout/gguf.js";
import type { ModelInfo, Prompt } from "../api/api.js";
import { invalidOption } from "../api/errors.js";
import { END_TOKENS } from "../api/names.js";
import type { Core } from "../wasm/core.js";
import type { Engine } from "./engine.js";
import type { Pace } from "./pace.js";

const TOKENS_A_STEP = 1024;

const encoder = new TextEncoder();

/** Token ids of a text of any length; never adds bos. Lone surrogates and invalid UTF-8 become U+FFFD. */
export function encode(core: Core, text: string | Uint8Array, special: boolean): number[] {
  const bytes = typeof text === "string" ? encoder.encode(text) : text;
  const tokens: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const piece = bytes.subarray(at, at + TEXT_BYTES);
    const last = at + piece.length === bytes.length;
    core.write(piece);
    const flags = (special ? ENCODE_SPECIAL : 0) | (last ? ENCODE_LAST : 0);
    const count = core.counted(core.exports.encode(piece.length, flags));
    for (const token of core.words(core.exports.tokens(), count)) tokens.push(token);
    at += core.exports.encodeConsumed();
  }
  return tokens;
}

/** The text of tokens, with or without control tokens. */
export function decode(core: Core, tokens: readonly number[], special: boolean): string {
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  let text = "";
  for (const token of tokens) {
    if (!special && core.exports.tokenType(token) === TOKEN_CONTROL) continue;
    const count = core.counted(core.exports.tokenBytes(token));
    text += utf8.decode(core.read(count), { stream: true });
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
  const special: [string, number][] = [];
  const userDefined: [string, number][] = [];
  const lists = new Map([
    [TOKEN_CONTROL, special],
    [TOKEN_USER_DEFINED, userDefined],
  ]);
  for (let token = 0; token < vocabulary; token++) {
    if (token % TOKENS_A_STEP === 0) await pace.yield();
    lists.get(core.exports.tokenType(token))?.push([decode(core, [token], true), token]);
  }
  return { special: Object.fromEntries(special), userDefined: Object.fromEntries(userDefined) };
}

/**
 * The sequence that a prompt makes after `before`. Text at the very start gets bos if the model wants it.
 * @throws ZagreusError INVALID_OPTION when nothing at all comes out
 */
export function promptTokens({ core, info }: Engine, prompt: Prompt, before: readonly number[] = []): number[] {
  const sequence = [...before];
  if (typeof prompt === "string") {
    const { addBos, bos } = info.tokenizer;
    if (sequence.length === 0 && addBos && bos !== undefined) sequence.push(bos);
    for (const token of encode(core, prompt, false)) sequence.push(token);
  } else {
    for (const token of Array.from(prompt)) sequence.push(token);
  }
  if (sequence.length === 0) throw invalidOption("prompt", prompt, "at least one token");
  return sequence;
}
