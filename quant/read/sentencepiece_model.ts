// tokenizer.model: a protocol buffer of sentencepiece (src/sentencepiece_model.proto). A message is a list of fields:
//
//     number << 3 | wire type, varint | value: varint (0) | 8 bytes (1) | length, varint, and bytes (2) | 4 bytes (5)
//
//     ModelProto      1 pieces, SentencePiece each | 2 TrainerSpec | 3 NormalizerSpec
//     SentencePiece   1 piece, text | 2 score, f32 | 3 type, TOKEN_* of assembly/layout/gguf.ts
//     TrainerSpec     3 model_type: 1 unigram, 2 BPE ...
//     NormalizerSpec  3 add_dummy_prefix

import { TOKEN_BYTE, TOKEN_NORMAL } from "../../assembly/layout/gguf.js";
import { ZagreusError } from "../../host/core/api/errors.js";
import type { Directory } from "../checkpoint/checkpoint.js";
import { readBytes } from "./json_file.js";

export const SENTENCEPIECE = "tokenizer.model";

const UNIGRAM = 1;
const BPE = 2;

export interface Piece {
  text: string;
  score: number;
  /** TOKEN_* */
  type: number;
}

export interface SentencePieceModel {
  pieces: Piece[];
  /** Whether a blank comes before a text. */
  blankFirst: boolean;
}

/** @throws ZagreusError SOURCE_FAILED, HEADER_TOO_LARGE, BAD_VOCABULARY, UNSUPPORTED_TOKENIZER for another algorithm than BPE */
export async function readSentencePiece(directory: Directory): Promise<SentencePieceModel> {
  const model: SentencePieceModel = { pieces: [], blankFirst: true };
  let algorithm = UNIGRAM;
  for (const { number, value } of fields(await readBytes(directory, SENTENCEPIECE))) {
    if (number === 1) model.pieces.push(readPiece(bytesOf(value)));
    if (number === 2) algorithm = numberIn(bytesOf(value), 3) ?? algorithm;
    if (number === 3) model.blankFirst = numberIn(bytesOf(value), 3) !== 0;
  }
  if (model.pieces.length === 0) throw malformed("it has no pieces");
  if (algorithm === BPE) return model;
  const message = `${SENTENCEPIECE}: the algorithm is number ${algorithm}, must be ${BPE} (BPE)`;
  throw new ZagreusError("UNSUPPORTED_TOKENIZER", message, { field: "model_type", value: algorithm, expected: BPE });
}

function readPiece(bytes: Uint8Array): Piece {
  const piece: Piece = { text: "", score: 0, type: TOKEN_NORMAL };
  for (const { number, value } of fields(bytes)) {
    if (number === 1) piece.text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytesOf(value));
    else if (number === 2) piece.score = new DataView(Uint8Array.from(bytesOf(value)).buffer).getFloat32(0, true);
    else if (number === 3) piece.type = Number(value);
  }
  if (piece.type < TOKEN_NORMAL || piece.type > TOKEN_BYTE) throw malformed(`a piece has the type ${piece.type}`);
  return piece;
}

function numberIn(bytes: Uint8Array, wanted: number): number | undefined {
  for (const { number, value } of fields(bytes)) if (number === wanted && typeof value === "number") return value;
  return undefined;
}

interface Field {
  number: number;
  /** A number for a varint; of 4 bytes, their bytes. */
  value: number | Uint8Array;
}

function bytesOf(value: Field["value"]): Uint8Array {
  if (typeof value === "number") throw malformed("a field is a number that must be bytes");
  return value;
}

function* fields(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined || scale > 2 ** 63) throw malformed("it ends early");
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const take = (length: number) => {
    if (length > bytes.length - at) throw malformed("it ends early");
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = varint();
    const wire = tag % 8;
    if (wire !== 0 && wire !== 1 && wire !== 2 && wire !== 5) throw malformed(`a field has the wire type ${wire}`);
    const value = wire === 0 ? varint() : take(wire === 1 ? 8 : wire === 5 ? 4 : varint());
    yield { number: Math.floor(tag / 8), value };
  }
}

function malformed(reason: string): ZagreusError {
  return new ZagreusError("BAD_VOCABULARY", `${SENTENCEPIECE}: ${reason}`, { field: SENTENCEPIECE });
}
