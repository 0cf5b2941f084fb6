// Loading: bytes of the file in order, in pieces of any size. begin, feed..., plan, feed..., end.

import { header } from "../gguf/header";
import { feedHeader, resetHeader, stagedBytes, truncatedHeader } from "../gguf/parser";
import { failTensor } from "../gguf/tensors";
import { IO_BYTES, TENSOR_BYTES } from "../layout/abi";
import {
  BAD_OPTION,
  HEADER_READY,
  LOADED,
  NEED_BYTES,
  OK,
  OUT_OF_MEMORY,
  TRUNCATED,
  WRONG_STATE,
} from "../layout/status";
import { config } from "../model/config";
import { prepareRunState, resetRunState } from "../model/run_state";
import { prepareSequences } from "../model/sequence";
import { failAt } from "../runtime/failure";
import { arenaBase, ensure, io } from "../runtime/memory";
import { resetSampler } from "../sampler/state";
import { beginPlan, continuePlan } from "./arena";
import { clearInfo, fillInfo } from "./info";
import { complete, currentBytes, currentRecord, feedWeights, resetPacking } from "./pack";

const IDLE = 0;
const HEADER = 1;
const PLANNING = 2; // the header is here, plan() has not been called
const BUILDING = 3; // plan() is at work
const WEIGHTS = 4;
const READY = 5;

let phase: i32 = IDLE;
let wantedContext: u32 = 0;
let wantedKvType: i32 = 0;
let wantedSequences: i32 = 1;
let wantedCache: f64 = 0;
let budget: f64 = 0;
let chunkBytes: u32 = 0; // of the chunk in the I/O buffer in which the header ended

/** Forgets what was loaded; the arguments are beginPlan()'s. OK | OUT_OF_MEMORY */
export function beginLoad(contextLength: u32, kvType: i32, memoryBudget: f64, sequences: i32, cacheBudget: f64): i32 {
  phase = IDLE;
  if (!ensure(arenaBase())) return failAt(OUT_OF_MEMORY, "memory", <f64>arenaBase(), 0);
  wantedContext = contextLength;
  wantedKvType = kvType;
  wantedSequences = sequences;
  wantedCache = cacheBudget;
  budget = memoryBudget;
  clearInfo();
  resetHeader();
  resetRunState();
  phase = HEADER;
  return OK;
}

/** Takes `length` bytes of the I/O buffer: NEED_BYTES | HEADER_READY | LOADED | error */
export function feedLoad(length: u32): i32 {
  if (phase != HEADER && phase != WEIGHTS) return failAt(WRONG_STATE, "feed", phase, HEADER);
  if (length > <u32>IO_BYTES) return failed(failAt(BAD_OPTION, "length", length, IO_BYTES));
  if (phase == WEIGHTS) return feedTensors(io(), length);
  const status = feedHeader(io(), length);
  if (status == NEED_BYTES) return status;
  if (status != HEADER_READY) return failed(status);
  chunkBytes = length;
  phase = PLANNING;
  return HEADER_READY;
}

/** Carries the plan out, a step a call, and packs the rest of the chunk in the I/O buffer: HEADER_READY | NEED_BYTES | LOADED | error */
export function planLoad(): i32 {
  if (phase != PLANNING && phase != BUILDING) return failAt(WRONG_STATE, "plan", phase, PLANNING);
  let status = phase == PLANNING ? beginPlan(wantedContext, wantedKvType, budget, wantedSequences, wantedCache) : OK;
  phase = BUILDING;
  if (status == OK) status = continuePlan();
  if (status == HEADER_READY) return status;
  if (status != OK) return failed(status);
  const seen = stagedBytes(); // and from here on gone
  fillInfo();
  phase = WEIGHTS;
  // Tensor data begins in this chunk, or padding is still missing.
  resetPacking(header.dataOffset > seen ? header.dataOffset - seen : 0);
  const rest = seen > header.dataOffset ? <u32>(seen - header.dataOffset) : 0;
  return feedTensors(io() + chunkBytes - rest, rest);
}

function feedTensors(bytes: usize, length: u32): i32 {
  const status = feedWeights(bytes, length);
  return status == NEED_BYTES || status == LOADED ? status : failed(status);
}

/** The source ended: LOADED | TRUNCATED | WRONG_STATE */
export function endLoad(): i32 {
  if (phase == READY) return LOADED;
  if (phase == HEADER) return failed(truncatedHeader());
  if (phase != WEIGHTS) return failAt(WRONG_STATE, "end", phase, WEIGHTS);
  if (!complete()) {
    const record = currentRecord();
    return failed(failTensor(TRUNCATED, record, currentBytes(), <f64>load<u64>(record, TENSOR_BYTES)));
  }
  prepareRunState();
  prepareSequences();
  resetSampler();
  phase = READY;
  return LOADED;
}

function failed(status: i32): i32 {
  phase = IDLE;
  return status;
}

/** Whether a model is loaded; otherwise the failure of `call` is recorded. */
export function isReady(call: string): bool {
  if (phase == READY) return true;
  failAt(WRONG_STATE, call, phase, READY);
  return false;
}
/** Whether what is loaded has the model's edge: tokenizer, LM head and sampler. Otherwise as isReady(). */
export function isEdge(call: string): bool {
  if (!isReady(call)) return false;
  if (!config.edge) failAt(WRONG_STATE, call, config.firstLayer, 0);
  return config.edge;
}
/** Whether the tokens of the vocabulary can be looked up: from plan() on. Otherwise as isEdge(). */
export function hasVocabulary(call: string): bool {
  return (phase == WEIGHTS && config.edge) || isEdge(call);
}
/** Whether the header has been read and can still be looked at. */
export function isPlanning(): bool {
  return phase == PLANNING;
}
/** Whether tensor records exist. */
export function hasRecords(): bool {
  return phase >= PLANNING;
}
