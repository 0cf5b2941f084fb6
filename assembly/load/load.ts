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
import { prepareRunState } from "../model/run_state";
import { failAt } from "../runtime/failure";
import { arenaBase, ensure, io } from "../runtime/memory";
import { resetSampler } from "../sampler/sampler";
import { carryOutPlan } from "./arena";
import { complete, currentBytes, currentRecord, feedWeights, resetPacking } from "./pack";

const IDLE = 0;
const HEADER = 1;
const PLANNING = 2; // the header is here, plan() has not been called
const WEIGHTS = 3;
const READY = 4;

let phase: i32 = IDLE;
let wantedContext: u32 = 0;
let wantedKvType: i32 = 0;
let budget: f64 = 0;
let pending: usize = 0; // bytes of the chunk behind the header
let pendingBytes: u32 = 0;

export function beginLoad(contextLength: u32, kvType: i32, memoryBudget: f64): i32 {
  phase = IDLE;
  if (!ensure(arenaBase())) return failAt(OUT_OF_MEMORY, "memory", <f64>arenaBase(), 0);
  wantedContext = contextLength;
  wantedKvType = kvType;
  budget = memoryBudget;
  pendingBytes = 0;
  resetHeader();
  phase = HEADER;
  return OK;
}

export function feedLoad(length: u32): i32 {
  if (phase != HEADER && phase != WEIGHTS) return failAt(WRONG_STATE, "feed", phase, HEADER);
  if (length > <u32>IO_BYTES) return failed(failAt(BAD_OPTION, "length", length, IO_BYTES));
  if (phase == HEADER) return feedHeaderChunk(length);
  if (pendingBytes > 0) {
    const bytes = pendingBytes;
    pendingBytes = 0;
    return feedTensors(pending, bytes);
  }
  return feedTensors(io(), length);
}

function feedHeaderChunk(length: u32): i32 {
  const before = stagedBytes();
  const status = feedHeader(io(), length);
  if (status == NEED_BYTES) return status;
  if (status != HEADER_READY) return failed(status);
  phase = PLANNING;
  // Tensor data may begin in this chunk, or padding may still be missing: resetPacking() is told in planLoad().
  const data = header.dataOffset;
  const seen = before + length;
  pendingBytes = seen > data ? <u32>(seen - data) : 0;
  pending = io() + length - pendingBytes;
  return HEADER_READY;
}

export function planLoad(): i32 {
  if (phase != PLANNING) return failAt(WRONG_STATE, "plan", phase, PLANNING);
  const seen = stagedBytes();
  const status = carryOutPlan(wantedContext, wantedKvType, budget);
  if (status != OK) return failed(status);
  resetPacking(header.dataOffset > seen ? header.dataOffset - seen : 0);
  phase = WEIGHTS;
  return OK;
}

function feedTensors(bytes: usize, length: u32): i32 {
  const status = feedWeights(bytes, length);
  return status == NEED_BYTES || status == LOADED ? status : failed(status);
}

/** The source ended. */
export function endLoad(): i32 {
  if (phase == READY) return LOADED;
  if (phase == HEADER) return failed(truncatedHeader());
  if (phase != WEIGHTS || pendingBytes > 0) return failAt(WRONG_STATE, "end", phase, WEIGHTS);
  if (!complete()) {
    const record = currentRecord();
    return failed(failTensor(TRUNCATED, record, currentBytes(), <f64>load<u64>(record, TENSOR_BYTES)));
  }
  prepareRunState();
  resetSampler();
  phase = READY;
  return LOADED;
}

function failed(status: i32): i32 {
  phase = IDLE;
  return status;
}

/** Whether a model is loaded; otherwise the failure is recorded. */
export function isReady(call: string): bool {
  if (phase == READY) return true;
  failAt(WRONG_STATE, call, phase, READY);
  return false;
}
/** Whether the header has been read and can still be looked at. */
export function isPlanning(): bool {
  return phase == PLANNING;
}
/** Whether tensor records exist. */
export function hasRecords(): bool {
  return phase >= PLANNING;
}
