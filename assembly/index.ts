// The ABI: all that a host sees of the core. Addresses are bytes in the exported memory; a status is one of layout/status.ts,
// and calls that return a count return -status when they fail. Sizes and identifiers: layout/abi.ts.

import { metadataCount as entries, metadataRecord } from "./gguf/metadata";
import { tensorCount as tensors, tensorRecord } from "./gguf/tensors";
import { ACTIVATION_LIMIT } from "./kernels/matmul/activations";
import { setKernels as chooseKernels } from "./kernels/choice";
import { INFO_KV_LENGTH, LOGIT_ROWS, MAX_BATCH, MAX_TOP } from "./layout/abi";
import { ACTIVATION_OVERFLOW, BAD_OPTION, BAD_TOKEN, CONTEXT_OVERFLOW, OK, WRONG_STATE } from "./layout/status";
import { tokenBuffer } from "./load/arena";
import { planInfo } from "./load/info";
import { beginLoad, endLoad, feedLoad, hasRecords, hasVocabulary, isPlanning, isReady, planLoad } from "./load/load";
import { hashModel } from "./load/model_hash";
import { config } from "./model/config";
import {
  clearTail,
  kvSegment as segmentAt,
  kvSegmentBytes as segmentBytes,
  kvSegments as segments,
} from "./model/kv_cache";
import { resetRunState, run } from "./model/run_state";
import { Sequence, sequence } from "./model/sequence";
import { enter, finalNorm, project, runLayers } from "./model/transformer";
import { failAt } from "./runtime/failure";
import { xxh64 } from "./runtime/hash";
import { seedHashes as seedTables } from "./runtime/keyed_hash";
import { io } from "./runtime/memory";
import { endThreads, prepareThreads, workLoop } from "./runtime/threads";
import { logSumExp as rowLogSumExp, topLogits } from "./sampler/logits";
import { sampleToken } from "./sampler/sampler";
import { logitRow, sampler as samplerState } from "./sampler/state";
import * as tokenizer from "./tokenizer/index";

export { errorExpected, errorField, errorFieldLength, errorValue } from "./runtime/failure";

// Loading

/** The I/O buffer, u8[IO_BYTES]: chunks of the file, then text. */
export function buffer(): usize {
  return io();
}

/** Before begin(): 64 random bits that make the hashes of a file's vocabulary unpredictable to its maker. They last. */
export function seedHashes(low: u32, high: u32): void {
  seedTables(((<u64>high) << 32) | low);
}

/**
 * Starts a load; whatever was loaded before is gone.
 * @param contextLength positions of the KV cache, 0: the model's own, at most DEFAULT_CONTEXT
 * @param kvType KV_INT8 | KV_F16 | KV_F32
 * @param memoryBudget bytes that linear memory may have, 0: no limit
 */
export function begin(contextLength: u32, kvType: i32, memoryBudget: f64): i32 {
  return beginLoad(contextLength, kvType, memoryBudget);
}

/** Takes the next `length` bytes of the file from the I/O buffer. NEED_BYTES | HEADER_READY: call plan() | LOADED | error */
export function feed(length: u32): i32 {
  return feedLoad(length);
}

/**
 * Checks the model, lays out the arena, grows memory, builds the tokenizer, and takes the rest of the chunk that the header ended in;
 * in steps of some ten milliseconds, the last of which does not return HEADER_READY.
 * HEADER_READY: call plan() again | NEED_BYTES | LOADED | error; OVER_BUDGET with the bytes needed
 */
export function plan(): i32 {
  return planLoad();
}

/** The file has ended. LOADED | TRUNCATED */
export function end(): i32 {
  return endLoad();
}

/** A number about the model and its plan, from plan() on, or its state: INFO_*; NaN for an unknown id. */
export function info(id: i32): f64 {
  return id == INFO_KV_LENGTH ? sequence.length : planInfo(id);
}

/** Metadata entries; they can be read between HEADER_READY and plan(), otherwise there are 0. */
export function metadataCount(): i32 {
  return isPlanning() ? entries() : 0;
}
/** Address of the raw GGUF record `key | type | value` of an entry. */
export function metadataEntry(index: i32): usize {
  return <u32>index < <u32>metadataCount() ? metadataRecord(index) : 0;
}
/** Tensors of the file, from HEADER_READY on. */
export function tensorCount(): i32 {
  return hasRecords() ? tensors() : 0;
}
/** Address of a TENSOR_* record, in the order of the file's data. */
export function tensorEntry(index: i32): usize {
  return <u32>index < <u32>tensorCount() ? tensorRecord(index) : 0;
}

// Threads (builds with shared memory; elsewhere there is one thread and these do nothing)

/**
 * Before begin(), and when every work() has returned.
 * @param count threads, the caller's among them, 1..MAX_THREADS
 * @param mayBlock 0 where the caller's thread must not wait: a browser's main thread
 */
export function setThreads(count: i32, mayBlock: i32): void {
  prepareThreads(count, mayBlock != 0);
}
/** In a worker's own instance over the same memory, index 1..count - 1: takes its share of the work until stopThreads(). */
export function work(index: i32): void {
  workLoop(index);
}
/** Makes every work() return. */
export function stopThreads(): void {
  endThreads();
}

// Tokenizer

/** Tokens of the text in the I/O buffer, written to tokens(); see tokenizer/encoder.ts. Count | -status */
export function encode(length: i32, flags: i32): i32 {
  if (!isReady("encode")) return -WRONG_STATE;
  return tokenizer.encode(io(), length, flags, tokenBuffer());
}
/** Bytes of the text that the last encode() used up. */
export function encodeConsumed(): i32 {
  return tokenizer.encodeConsumed();
}
/** The flag ENCODE_CONTINUED, or 0, for the encode() of the text that follows. */
export function encodeContinued(): i32 {
  return tokenizer.encodeContinued();
}
/** Bytes of the text that no token stands for and the last encode() has left out. */
export function encodeDropped(): i32 {
  return tokenizer.droppedBytes;
}
/** What encode() writes, u32[TEXT_BYTES]. */
export function tokens(): usize {
  return tokenBuffer();
}
/** From plan() on, as the next two. Writes a token's bytes to the I/O buffer. Count | -WRONG_STATE | -BAD_TOKEN */
export function tokenBytes(id: i32): i32 {
  if (!hasVocabulary("tokenBytes")) return -WRONG_STATE;
  if (<u32>id >= <u32>config.vocabulary) return -failAt(BAD_TOKEN, "token", id, config.vocabulary);
  memory.copy(io(), tokenizer.tokenBytesAt(id), tokenizer.tokenLength(id));
  return tokenizer.tokenLength(id);
}
/** A token's type. TOKEN_* | -WRONG_STATE | -BAD_TOKEN */
export function tokenType(id: i32): i32 {
  if (!hasVocabulary("tokenType")) return -WRONG_STATE;
  if (<u32>id >= <u32>config.vocabulary) return -failAt(BAD_TOKEN, "token", id, config.vocabulary);
  return tokenizer.tokenType(id);
}
/** The id of the token whose bytes are in the I/O buffer, or -1. */
export function findToken(length: i32): i32 {
  return hasVocabulary("findToken") ? tokenizer.findToken(io(), length) : -1;
}
function held(): tokenizer.Held {
  return changetype<tokenizer.Held>(changetype<usize>(sequence) + offsetof<Sequence>("heldBytes"));
}
/** Starts a stream of text behind the token `before`, -1: behind nothing. */
export function pieceReset(before: i32): void {
  tokenizer.pieceReset(held(), before);
}
/** Adds a token to the stream and writes the characters that are complete now to the I/O buffer. Bytes | -status */
export function pieceAppend(token: i32): i32 {
  return isReady("pieceAppend") ? tokenizer.pieceAppend(held(), token, io()) : -WRONG_STATE;
}
/** Ends the stream: writes what is held back of an incomplete character. Bytes */
export function pieceFlush(): i32 {
  return isReady("pieceFlush") ? tokenizer.pieceFlush(held(), io()) : 0;
}

// Running

/** Chooses the kernels of the passes that follow: a sum of KERNEL_*; what the build lacks is ignored. No result depends on it. */
export function setKernels(kernels: i32): void {
  chooseKernels(kernels);
}

/** u32[MAX_BATCH], the tokens of the next forward pass. */
export function batch(): usize {
  return run.tokens;
}

/**
 * Runs `count` tokens of batch() at `position`, which truncates the KV cache there.
 * OK | BAD_OPTION | BAD_TOKEN | CONTEXT_OVERFLOW | ACTIVATION_OVERFLOW, which leaves nothing in the cache from `position` on
 */
export function forward(count: i32, position: i32): i32 {
  const status = beginForward(count, position);
  if (status != OK) return status;
  const left = forwardLayers(config.layers);
  return left < 0 ? -left : OK;
}
/** Begins what forward() does at once: forwardLayers() follows until no layer is left, or another pass takes its place. */
export function beginForward(count: i32, position: i32): i32 {
  if (!isReady("forward")) return WRONG_STATE;
  if (count < 1 || count > MAX_BATCH) return failAt(BAD_OPTION, "count", count, MAX_BATCH);
  if (position < 0 || position > sequence.length) return failAt(BAD_OPTION, "position", position, sequence.length);
  if (position + count > config.context) return failAt(CONTEXT_OVERFLOW, "position", position + count, config.context);
  for (let i = 0; i < count; i++) {
    const token = load<u32>(run.tokens + 4 * i);
    if (token >= <u32>config.vocabulary) return failAt(BAD_TOKEN, "token", token, config.vocabulary);
  }
  memory.copy(sequence.history + 4 * position, run.tokens, 4 * count);
  sequence.length = position;
  resetRunState();
  run.entered = count;
  run.position = position;
  run.layer = 0;
  enter(count, position);
  return OK;
}
/** Runs the next `layers` layers; with the last one the tokens are in the cache. Layers left | -WRONG_STATE | -ACTIVATION_OVERFLOW */
export function forwardLayers(layers: i32): i32 {
  if (!isReady("forwardLayers")) return -WRONG_STATE;
  if (layers < 1 || run.entered == 0) return -failAt(WRONG_STATE, "forwardLayers", layers, run.entered);
  const end = min(config.layers, run.layer + min(layers, config.layers));
  runLayers(run.layer, end, run.entered, run.position);
  run.layer = end;
  if (end < config.layers) return config.layers - end;
  run.count = run.entered;
  run.entered = 0;
  sequence.length = run.position + run.count;
  return run.overflow == 0 ? 0 : -overflowed(run.position);
}

/**
 * Logits of `count` tokens of the last batch from `first` on, f32[count][vocabulary]; 0 when there are no such, or activations
 * overflow.
 */
export function logits(first: i32, count: i32): usize {
  if (!isReady("logits")) return 0;
  if (first < 0 || count < 1 || count > LOGIT_ROWS || first > run.count - count) {
    failAt(BAD_OPTION, "logits", <f64>first + <f64>count, run.count);
    return 0;
  }
  run.firstRow = first;
  run.rowCount = count;
  project(logitRow(0), first, count);
  if (run.overflow == 0) return logitRow(0);
  overflowed(sequence.length - run.count);
  return 0;
}

/** Records an overflow, and drops what the last pass has left of it. */
function overflowed(position: i32): i32 {
  sequence.length = position;
  run.count = 0;
  run.rowCount = 0;
  return failAt(ACTIVATION_OVERFLOW, "activation", run.overflow, ACTIVATION_LIMIT);
}

/** States behind the last norm of `count` tokens of the last batch from `first` on, f32[count][hidden]; 0 likewise. */
export function hidden(first: i32, count: i32): usize {
  if (!isReady("hidden")) return 0;
  if (first < 0 || count < 1 || first > run.count - count) {
    failAt(BAD_OPTION, "hidden", <f64>first + <f64>count, run.count);
    return 0;
  }
  const states = finalNorm(first, count);
  if (run.overflow == 0) return states;
  overflowed(sequence.length - run.count);
  return 0;
}

/** Whether the last logits() computed the row, and nothing has run since; otherwise the failure is recorded. */
function hasRow(row: i32): bool {
  if (<u32>row < <u32>run.rowCount) return true;
  failAt(BAD_OPTION, "row", row, run.rowCount);
  return false;
}

/** Address of the SAMPLER_* parameters, drawn in layout/abi.ts. */
export function sampler(): usize {
  return samplerState.parameters;
}
/** u8[ceil(vocabulary / 8)]: bit i & 7 of byte i >> 3 says whether token i may be sampled while SAMPLER_MASKED is 1. */
export function samplerMask(): usize {
  return samplerState.mask;
}
/** { token id u32, negative penalty f32 }[vocabulary]: what sample() adds SAMPLER_PENALTY_COUNT of; top() and sample() write over them. */
export function samplerPenalties(): usize {
  return samplerState.members;
}
/** Seeds the sampler. */
export function seed(value: u64): void {
  sequence.random = value;
}
/**
 * Picks a token from a row of the last logits, which it changes; the history is all tokens up to the row's own.
 * Token | -WRONG_STATE | -BAD_OPTION
 */
export function sample(row: i32): i32 {
  if (!isReady("sample")) return -WRONG_STATE;
  if (!hasRow(row)) return -BAD_OPTION;
  return sampleToken(logitRow(row), sequence.length - run.count + run.firstRow + row + 1);
}
/** The `k` (1..MAX_TOP) largest logits of a row, descending: { id u32, logit f32 }[k]; 0 for a row or k out of range. */
export function top(row: i32, k: i32): usize {
  if (!isReady("top") || !hasRow(row) || k < 1 || k > min(MAX_TOP, config.vocabulary)) return 0;
  return topLogits(logitRow(row), k);
}
/** log(sum(e^logit)) of a row of the last logits; NaN when there is no such. */
export function logSumExp(row: i32): f64 {
  return isReady("logSumExp") && hasRow(row) ? rowLogSumExp(logitRow(row)) : NaN;
}

// The KV cache, for snapshots

/** Tokens in the KV cache, u32[context]. */
export function history(): usize {
  return sequence.history;
}
/** Segments of the cache: positions 0..n-1 are the first kvSegmentBytes(i, n) bytes of each, after kvSetLength(n). */
export function kvSegments(): i32 {
  return isReady("kvSegments") ? segments() : 0;
}
/** Address of a segment. */
export function kvSegment(index: i32): usize {
  return segmentAt(index);
}
/** Bytes at the beginning of a segment that hold the first `positions` positions. */
export function kvSegmentBytes(index: i32, positions: i32): usize {
  return segmentBytes(index, positions);
}
/** Truncates the cache, or declares positions valid that the host has restored. OK | CONTEXT_OVERFLOW | BAD_TOKEN */
export function kvSetLength(length: i32): i32 {
  if (!isReady("kvSetLength")) return WRONG_STATE;
  if (length < 0 || length > config.context) return failAt(CONTEXT_OVERFLOW, "length", length, config.context);
  for (let i = 0; i < length; i++) {
    const token = load<u32>(sequence.history + 4 * i);
    if (token >= <u32>config.vocabulary) return failAt(BAD_TOKEN, "history", token, config.vocabulary);
  }
  clearTail(length);
  sequence.length = length;
  resetRunState();
  return OK;
}

/** XXH64 that names the model: its weights as packed, its shape and its vocabulary. */
export function modelHash(): u64 {
  return isReady("modelHash") ? hashModel() : 0;
}
/** XXH64 of the first `length` bytes of the I/O buffer. */
export function hash(length: i32, seed: u64): u64 {
  return xxh64(io(), length, seed);
}
