// The arena: every section computed before the first weight arrives, carved once, never grown.
//
//     | packed weights | tensor records, structs | tokenizer | KV cache | activations | logits, sampler |
//     ^ arenaBase()
//
// The file's header is staged where the weights will lie. So the sections behind the weights start after the staged bytes too,
// and the tokenizer is built from them before the first weight overwrites them.

import { headerEnd, moveRecords, tensorCount } from "../gguf/tensors";
import { TENSOR_RECORD_BYTES, TEXT_BYTES } from "../layout/abi";
import { OK, OUT_OF_MEMORY, OVER_BUDGET } from "../layout/status";
import { config, readConfig } from "../model/config";
import { carveKvCache, kvBytes } from "../model/kv_cache";
import { carveRunState } from "../model/run_state";
import { bindTensors, structBytes, weightsEnd } from "../model/weights";
import { failAt } from "../runtime/failure";
import { align64, arenaBase, ensure } from "../runtime/memory";
import { carveSampler } from "../sampler/sampler";
import { buildVocabulary, readVocabularyMetadata, vocabularyBytes } from "./vocabulary_metadata";

const MOST: u64 = 0xffff0000; // bytes that a 32-bit memory can have

let weightsAt: u64 = 0;
let tensorsAt: u64 = 0;
let tokenizerAt: u64 = 0;
let cacheAt: u64 = 0;
let activationsAt: u64 = 0;
let samplerAt: u64 = 0;
let endAt: u64 = 0;
let tokensAt: usize = 0;

/**
 * Computes the plan and carries it out: grows memory once, moves the tensor records to their place, builds the tokenizer.
 * @param budget bytes that linear memory may have, 0 for no limit
 * @returns OK | any error of the header's contents | OVER_BUDGET | OUT_OF_MEMORY
 */
export function carryOutPlan(contextLength: u32, kvType: i32, budget: f64): i32 {
  let status = readConfig(contextLength, kvType);
  if (status == OK) status = readVocabularyMetadata();
  if (status == OK) status = checkTensors();
  if (status != OK) return status;

  tensorsAt = align64(max(weightsEnd(), headerEnd()));
  const structsAt = tensorsAt + align64(<u64>tensorCount() * TENSOR_RECORD_BYTES);
  tokenizerAt = structsAt + structBytes();
  cacheAt = align64(tokenizerAt + vocabularyBytes() + 4 * TEXT_BYTES);
  activationsAt = align64(cacheAt + kvBytes());
  samplerAt = carveRunState(activationsAt);
  endAt = carveSampler(samplerAt);

  const bytes = <f64>memoryBytes();
  if (budget > 0 && bytes > budget) return failAt(OVER_BUDGET, "memoryBudget", bytes, budget);
  if (!ensure(endAt)) return failAt(OUT_OF_MEMORY, "memory", bytes, <f64>MOST);

  moveRecords(<usize>tensorsAt);
  tokensAt = <usize>tokenizerAt;
  carveKvCache(<usize>cacheAt);
  status = buildVocabulary(<usize>tokenizerAt + 4 * TEXT_BYTES);
  return status == OK ? bindTensors(<usize>structsAt, weightsAt) : status;
}

/** Binds the tensors in a place behind the header, to check them and to learn how much they take. */
function checkTensors(): i32 {
  weightsAt = align64(arenaBase());
  const scratch = align64(headerEnd());
  if (!ensure(scratch + structBytes())) return failAt(OUT_OF_MEMORY, "tensors", <f64>structBytes(), <f64>MOST);
  return bindTensors(<usize>scratch, weightsAt);
}

/** Linear memory of the plan, whole pages. */
export function memoryBytes(): u64 {
  return max((endAt + 0xffff) & ~0xffff, (<u64>memory.size()) << 16);
}

/** Tokens that encode() wrote, u32[TEXT_BYTES]. */
export function tokenBuffer(): usize {
  return tokensAt;
}

// Sizes of the sections
export function weightBytes(): u64 {
  return tensorsAt - weightsAt;
}
export function tensorBytes(): u64 {
  return tokenizerAt - tensorsAt;
}
export function tokenizerSectionBytes(): u64 {
  return cacheAt - tokenizerAt;
}
export function cacheBytes(): u64 {
  return activationsAt - cacheAt;
}
export function activationSectionBytes(): u64 {
  return samplerAt - activationsAt;
}
export function samplerBytes(): u64 {
  return endAt - samplerAt;
}
export function arenaBytes(): u64 {
  return endAt - weightsAt;
}
