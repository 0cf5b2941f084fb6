// The ABI: all that a host sees of the core. Addresses are bytes in the exported memory; a status is one of layout/status.ts,
// and calls that return a count return -status when they fail. Sizes and identifiers: layout/abi.ts.

import { metadataCount as entries, metadataRecord } from "./gguf/metadata";
import { tensorCount as tensors, tensorRecord } from "./gguf/tensors";
import { setKernels as chooseKernels } from "./kernels/choice";
import { ALL_LAYERS, IO_BYTES, LOGIT_ROWS, MAX_TOP } from "./layout/abi";
import { MAX_ADAPTER_RANK, MAX_ADAPTERS, SITES } from "./layout/adapters";
import { BLOCK } from "./layout/kv";
import { BAD_OPTION, BAD_TOKEN, NON_FINITE_WEIGHT, OK, WRONG_STATE } from "./layout/status";
import { reserveSlots, tokenBuffer } from "./load/arena";
import { packFactor } from "./load/factors";
import { planInfo } from "./load/info";
import {
  beginLoad,
  endLoad,
  feedLoad,
  hasRecords,
  hasVocabulary,
  isEdge,
  isPlanning,
  isReady,
  planLoad,
} from "./load/load";
import { hashModel } from "./load/model_hash";
import { adapters, closeSlot, factorColumns, factorRows, openSlot, prepareSite, siteOf } from "./model/adapters";
import { config, wantPart } from "./model/config";
import { copyPageTo, pageParts, partAt, partBytes } from "./model/kv_cache";
import { enterBatch, leaveBatch, oneRun, rowsStatus, setSequenceLength } from "./model/batch";
import { rowAt } from "./model/row";
import { run } from "./model/run_state";
import { Sequence, sequenceAt } from "./model/sequence";
import { finalNorm, project, runLayers } from "./model/transformer";
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
 * Before begin(): the plans that follow have `slots` slots for adapters of up to `rank`; 0 and 0 take it back. They last.
 * OK | BAD_OPTION
 */
export function reserveAdapters(slots: i32, rank: i32): i32 {
  if (slots < 0 || slots > MAX_ADAPTERS) return failAt(BAD_OPTION, "slots", slots, MAX_ADAPTERS);
  if (rank < min(slots, 1) || rank > MAX_ADAPTER_RANK) return failAt(BAD_OPTION, "rank", rank, MAX_ADAPTER_RANK);
  reserveSlots(slots, rank);
  return OK;
}

/**
 * Before begin(): the plans that follow have a part of the model: layers `first`..`end` - 1, and with `edge` the embedding, the last norm,
 * the LM head, the tokenizer and the sampler; the rest of the file passes by. Default: 1, 0, ALL_LAYERS. OK | BAD_OPTION
 */
export function takePart(edge: i32, first: i32, end: i32): i32 {
  const whole = first == 0 && end == ALL_LAYERS;
  if (!whole && (first < 0 || end < first + i32(!edge))) return failAt(BAD_OPTION, "layers", end, first + 1);
  wantPart(edge != 0, first, end);
  return OK;
}

/**
 * Starts a load; whatever was loaded before is gone.
 * @param contextLength positions of the KV cache, 0: the model's own, at most DEFAULT_CONTEXT
 * @param kvType KV_*
 * @param memoryBudget bytes that linear memory may have, 0: no limit
 * @param sequences that can be run at once, 1..MAX_SEQUENCES
 * @param cacheBudget bytes of the KV cache besides the pages of one context: fewer where memory ends
 */
export function begin(contextLength: u32, kvType: i32, memoryBudget: f64, sequences: i32, cacheBudget: f64): i32 {
  return beginLoad(contextLength, kvType, memoryBudget, sequences, cacheBudget);
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

/** A number about the model and its plan, from plan() on: INFO_*; NaN for an unknown id. */
export function info(id: i32): f64 {
  return planInfo(id);
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
  if (!isEdge("encode")) return -WRONG_STATE;
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
/** Whether there is one of this number, of `count`; otherwise the failure is recorded. */
function isOneOf(field: string, index: i32, count: i32): bool {
  if (<u32>index < <u32>count) return true;
  failAt(BAD_OPTION, field, index, count - 1);
  return false;
}
function hasSequence(index: i32): bool {
  return isOneOf("sequence", index, config.sequences);
}
function held(sequence: i32): tokenizer.Held {
  return changetype<tokenizer.Held>(changetype<usize>(sequenceAt(sequence)) + offsetof<Sequence>("heldBytes"));
}
/** Starts a sequence's stream of text behind the token `before`, -1: behind nothing. OK | WRONG_STATE | BAD_OPTION */
export function pieceReset(sequence: i32, before: i32): i32 {
  if (!isEdge("pieceReset")) return WRONG_STATE;
  if (!hasSequence(sequence)) return BAD_OPTION;
  tokenizer.pieceReset(held(sequence), before);
  return OK;
}
/** Adds a token to the stream and writes the characters that are complete now to the I/O buffer. Bytes | -status */
export function pieceAppend(sequence: i32, token: i32): i32 {
  if (!isEdge("pieceAppend")) return -WRONG_STATE;
  return hasSequence(sequence) ? tokenizer.pieceAppend(held(sequence), token, io()) : -BAD_OPTION;
}
/** Ends the stream: writes what is held back of an incomplete character. Bytes */
export function pieceFlush(sequence: i32): i32 {
  return isEdge("pieceFlush") && hasSequence(sequence) ? tokenizer.pieceFlush(held(sequence), io()) : 0;
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

/** RUN_*[MAX_SEQUENCES]: whose tokens these are, and where they come, run by run in the order of batch(). */
export function runs(): usize {
  return run.runs;
}

/**
 * Runs `count` tokens of batch() at `position` of sequence 0, which truncates it there.
 * OK | BAD_OPTION | BAD_TOKEN | CONTEXT_OVERFLOW | ACTIVATION_OVERFLOW, which leaves nothing in the cache from `position` on
 */
export function forward(count: i32, position: i32): i32 {
  if (!isReady("forward")) return WRONG_STATE;
  oneRun(count, position);
  const status = enterBatch(1);
  if (status != OK) return status;
  forwardLayers(config.layers);
  return rowsStatus(0, count);
}
/**
 * Begins a pass over the first `count` runs(): forwardLayers() follows until no layer is left, or another pass takes its place.
 * OK | BAD_OPTION | BAD_TOKEN | CONTEXT_OVERFLOW
 */
export function beginForward(count: i32): i32 {
  return isReady("beginForward") ? enterBatch(count) : WRONG_STATE;
}
/**
 * Runs the next `layers` layers; with the last one the tokens are in the cache, except for those of runs of which a row has overflowed.
 * Layers left | -WRONG_STATE
 */
export function forwardLayers(layers: i32): i32 {
  if (!isReady("forwardLayers")) return -WRONG_STATE;
  if (layers < 1 || run.entered == 0) return -failAt(WRONG_STATE, "forwardLayers", layers, run.entered);
  const end = min(config.layers, run.layer + min(layers, config.layers));
  runLayers(run.layer, end, run.entered);
  run.layer = end;
  if (end == config.layers) leaveBatch();
  return config.layers - end;
}
/**
 * f32[MAX_BATCH][hidden], the residual stream of the rows: behind beginForward() what the first layer here gets, embeddings or what the host
 * writes; behind the last layer what the next part of the model gets, or what logits() and hidden() read.
 */
export function residual(): usize {
  return run.x;
}
/** f32[MAX_BATCH], by row its first activation that was too large, 0: none. It travels with residual(). */
export function overflows(): usize {
  return run.overflows;
}
/** Whether the activations of `count` rows of the last batch from `first` on have kept within bounds. OK | ACTIVATION_OVERFLOW */
export function rowStatus(first: i32, count: i32): i32 {
  if (!isReady("rowStatus")) return WRONG_STATE;
  return areRows("rowStatus", first, count) ? rowsStatus(first, count) : BAD_OPTION;
}
function areRows(call: string, first: i32, count: i32): bool {
  if (first >= 0 && count > 0 && first <= run.count - count) return true;
  failAt(BAD_OPTION, call, <f64>first + <f64>count, run.count);
  return false;
}

/**
 * Logits of `count` rows of the last batch from `first` on, f32[count][vocabulary]; 0 when there are no such. Those of rows that have
 * overflowed, of which rowStatus() tells, mean nothing.
 */
export function logits(first: i32, count: i32): usize {
  if (!isEdge("logits") || !areRows("logits", first, count)) return 0;
  if (count > LOGIT_ROWS) {
    failAt(BAD_OPTION, "logits", count, LOGIT_ROWS);
    return 0;
  }
  run.firstRow = first;
  run.rowCount = count;
  project(logitRow(0), first, count);
  return logitRow(0);
}

/** States behind the last norm of `count` rows of the last batch from `first` on, f32[count][hidden]; 0 likewise. */
export function hidden(first: i32, count: i32): usize {
  return isEdge("hidden") && areRows("hidden", first, count) ? finalNorm(first, count) : 0;
}

/** Whether the last logits() computed the row, and nothing has run since; otherwise the failure is recorded. */
function hasRow(row: i32): bool {
  if (<u32>row < <u32>run.rowCount) return true;
  failAt(BAD_OPTION, "row", row, run.rowCount);
  return false;
}

/** Address of a sequence's SAMPLER_* parameters, drawn in layout/abi.ts; 0 when there is no such. */
export function sampler(sequence: i32): usize {
  return isReady("sampler") && hasSequence(sequence) ? sequenceAt(sequence).parameters : 0;
}
/** u8[ceil(vocabulary / 8)]: bit i & 7 of byte i >> 3 says whether token i may be sampled while SAMPLER_MASKED is 1. */
export function samplerMask(): usize {
  return samplerState.mask;
}
/** { token id u32, negative penalty f32 }[vocabulary]: what sample() adds SAMPLER_PENALTY_COUNT of; top() and sample() write over them. */
export function samplerPenalties(): usize {
  return samplerState.members;
}
/** Seeds a sequence's draws. OK | WRONG_STATE | BAD_OPTION */
export function seed(sequence: i32, value: u64): i32 {
  if (!isReady("seed")) return WRONG_STATE;
  if (!hasSequence(sequence)) return BAD_OPTION;
  sequenceAt(sequence).random = value;
  return OK;
}
/**
 * Picks a token from a row of the last logits, which it changes, as the row's sequence wants it; its history is all tokens up to the row's.
 * Token | -WRONG_STATE | -BAD_OPTION
 */
export function sample(row: i32): i32 {
  if (!isReady("sample")) return -WRONG_STATE;
  if (!hasRow(row)) return -BAD_OPTION;
  const from = rowAt(run.firstRow + row);
  return sampleToken(logitRow(row), from.sequence, from.position + 1);
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

// Adapters (LoRA), in slots that were reserved

/** Takes a slot, empty; adapters that are used together add up in the order of these calls. OK | BAD_OPTION */
export function openAdapter(slot: i32): i32 {
  if (!hasSlot(slot, "openAdapter")) return BAD_OPTION;
  openSlot(slot);
  return OK;
}
/** Gives a slot back. OK | BAD_OPTION */
export function closeAdapter(slot: i32): i32 {
  if (!hasSlot(slot, "closeAdapter")) return BAD_OPTION;
  closeSlot(slot);
  return OK;
}
/** Says that the adapter changes a matrix, SITE_*, of a layer: W x + scale * B (A x), both zeros until their rows come. OK | BAD_OPTION */
export function adapterSite(slot: i32, layer: i32, site: i32, rank: i32, scale: f64): i32 {
  if (!hasSlot(slot, "adapterSite") || <u32>layer >= <u32>config.layers || <u32>site >= <u32>SITES) return BAD_OPTION;
  if (rank < 1 || rank > adapters.rank) return failAt(BAD_OPTION, "rank", rank, adapters.rank);
  prepareSite(slot, layer, site, rank, <f32>scale);
  return OK;
}
/**
 * Takes `count` rows of a factor, FACTOR_*, from row `first` on, f32 in the I/O buffer.
 * OK | BAD_OPTION | NON_FINITE_WEIGHT
 */
export function adapterRows(slot: i32, layer: i32, site: i32, factor: i32, first: i32, count: i32): i32 {
  if (!hasSlot(slot, "adapterRows") || <u32>layer >= <u32>config.layers || <u32>site >= <u32>SITES) return BAD_OPTION;
  const target = siteOf(slot, layer, site);
  const rows = factorRows(target, factor);
  const rowBytes = 4 * factorColumns(target, factor);
  if (first < 0 || count < 0 || first > rows - count || <u64>count * rowBytes > <u64>IO_BYTES) {
    return failAt(BAD_OPTION, "rows", <f64>first + <f64>count, rows);
  }
  for (let i = 0; i < count; i++) {
    if (!packFactor(target, factor, first + i, io() + i * rowBytes)) {
      return failAt(NON_FINITE_WEIGHT, "adapter", first + i, 0);
    }
  }
  return OK;
}
/** Of a sequence: by slot what the adapter is multiplied with, f32[MAX_ADAPTERS]; 0: not at all. 0 when there is no such sequence. */
export function adapterScales(sequence: i32): usize {
  return isReady("adapterScales") && hasSequence(sequence) ? sequenceAt(sequence).scales : 0;
}
function hasSlot(slot: i32, call: string): bool {
  if (isReady(call) && <u32>slot < <u32>adapters.slots) return true;
  failAt(BAD_OPTION, "slot", slot, adapters.slots);
  return false;
}

// Sequences and the KV cache's pages

/** Tokens of a sequence, u32[context]; 0 when there is no such. */
export function history(sequence: i32): usize {
  return isReady("history") && hasSequence(sequence) ? sequenceAt(sequence).history : 0;
}
/** The pages of a sequence, u32[ceil(context / BLOCK)]: the host says which they are. 0 when there is no such. */
export function pageTable(sequence: i32): usize {
  return isReady("pageTable") && hasSequence(sequence) ? sequenceAt(sequence).table : 0;
}
/** Positions of a sequence that are in the cache. Count | -WRONG_STATE | -BAD_OPTION */
export function sequenceLength(sequence: i32): i32 {
  if (!isReady("sequenceLength")) return -WRONG_STATE;
  return hasSequence(sequence) ? sequenceAt(sequence).length : -BAD_OPTION;
}
/** Cuts a sequence, or declares that its history is in the pages of its table. OK | BAD_OPTION | CONTEXT_OVERFLOW | BAD_TOKEN */
export function setLength(sequence: i32, length: i32): i32 {
  if (!isReady("setLength")) return WRONG_STATE;
  return hasSequence(sequence) ? setSequenceLength(sequenceAt(sequence), length) : BAD_OPTION;
}
/** Address of a part of a page, of which there are INFO_PAGE_PARTS; 0 when there is no such. */
export function pagePart(page: i32, part: i32): usize {
  return isReady("pagePart") && hasPage(page) && hasPart(part) ? partAt(page, part) : 0;
}
/** Bytes of it. */
export function pagePartBytes(part: i32): usize {
  return isReady("pagePartBytes") && hasPart(part) ? partBytes(part) : 0;
}
function hasPart(part: i32): bool {
  return isOneOf("part", part, pageParts());
}
/** Copies the first `length` (0..BLOCK) positions of a page; what is behind them becomes 0. OK | WRONG_STATE | BAD_OPTION */
export function copyPage(source: i32, target: i32, length: i32): i32 {
  if (!isReady("copyPage")) return WRONG_STATE;
  if (!hasPage(source) || !hasPage(target)) return BAD_OPTION;
  if (length < 0 || length > BLOCK) return failAt(BAD_OPTION, "length", length, BLOCK);
  copyPageTo(source, target, length);
  return OK;
}
function hasPage(index: i32): bool {
  return isOneOf("page", index, config.pages);
}

/** XXH64 that names the model: its weights as packed, its shape and its vocabulary. */
export function modelHash(): u64 {
  return isReady("modelHash") ? hashModel() : 0;
}
/** XXH64 of the first `length` bytes of the I/O buffer. */
export function hash(length: i32, seed: u64): u64 {
  return xxh64(io(), length, seed);
}
