// The arena: every section computed before the first weight arrives, carved once, never grown (SECTION_* in layout/abi.ts).
//
//     | weights | tensor records, structs | tokens, tokenizer | KV cache | activations | logits, sampler | adapters |
//     ^ arenaBase()
//
// The file's header is staged where the weights will lie. So the sections behind the weights start after the staged bytes too,
// and the tokenizer is built from them before the first weight overwrites them.

import { headerEnd, moveRecords, tensorCount } from "../gguf/tensors";
import {
  SECTION_ACTIVATIONS,
  SECTION_ADAPTERS,
  SECTION_KV_CACHE,
  SECTION_SAMPLER,
  SECTION_TENSORS,
  SECTION_TOKENIZER,
  SECTION_WEIGHTS,
  SECTIONS,
  TENSOR_RECORD_BYTES,
  TEXT_BYTES,
} from "../layout/abi";
import { OK, OUT_OF_MEMORY, OVER_BUDGET } from "../layout/status";
import { carveAdapters } from "../model/adapters";
import { config, readConfig } from "../model/config";
import { carveKvCache, pageBytes } from "../model/kv_cache";
import { carveRows } from "../model/row";
import { carveRunState } from "../model/run_state";
import { carveSequences, contextPages } from "../model/sequence";
import { bindTensors, structBytes } from "../model/weights";
import { carve, carvedEnd, carveFrom } from "../runtime/carve";
import { failAt } from "../runtime/failure";
import { align64, arenaBase, ensure, sectionTable } from "../runtime/memory";
import { carveSampler } from "../sampler/state";
import { buildTokenizer } from "../tokenizer/index";
import { beginVocabulary, carveVocabularySection, readVocabularyMetadata } from "./vocabulary_metadata";

let structsAt: usize = 0; // of the weights
let wantedSlots: i32 = 0; // for adapters
let wantedRank: i32 = 0;

const MAX_PAGES: f64 = 0xffff; // besides those of one context, which the host has books of
const MAX_MEMORY: u64 = 0xffff0000; // bytes that a 32-bit memory can have

/** Slots for adapters, which the plans that follow have. */
export function reserveSlots(slots: i32, rank: i32): void {
  wantedSlots = slots;
  wantedRank = rank;
}

/**
 * Computes the plan and begins to carry it out: grows memory once, moves the tensor records to their place. Then continuePlan().
 * @param contextLength positions of the KV cache, 0: the model's own, at most DEFAULT_CONTEXT
 * @param kvType KV_*
 * @param budget bytes that linear memory may have, 0 for no limit
 * @param sequences that can be run at once, 1..MAX_SEQUENCES
 * @param cacheBudget bytes of the KV cache besides the pages of one context; as much of them as there is memory for
 * @returns OK | any error of the header's contents | OVER_BUDGET | OUT_OF_MEMORY
 */
export function beginPlan(contextLength: u32, kvType: i32, budget: f64, sequences: i32, cacheBudget: f64): i32 {
  let status = readConfig(contextLength, kvType, sequences);
  if (status == OK) status = readVocabularyMetadata();
  if (status == OK) status = carveWeights();
  if (status != OK) return status;

  carveFrom(max(carvedEnd(), headerEnd()));
  startSection(SECTION_TENSORS);
  const records = carve(<u64>tensorCount() * TENSOR_RECORD_BYTES);
  const structs = carve(structBytes());
  startSection(SECTION_TOKENIZER);
  if (config.edge) {
    carve(4 * TEXT_BYTES); // tokenBuffer()
    carveVocabularySection();
  }
  carveRest(pagesWithin(budget, cacheBudget));
  let bytes = <f64>memoryBytes();
  if (budget > 0 && bytes > budget) return failAt(OVER_BUDGET, "memoryBudget", bytes, budget);
  if (!ensure(sectionAt(SECTIONS))) {
    carveRest(0);
    bytes = <f64>memoryBytes();
    if (!ensure(sectionAt(SECTIONS))) return failAt(OUT_OF_MEMORY, "memory", bytes, <f64>MAX_MEMORY);
  }

  moveRecords(records);
  structsAt = structs;
  if (config.edge) beginVocabulary();
  return OK;
}

/** Carves what comes behind the tokenizer, with so many pages besides those of one context. */
function carveRest(pages: u32): void {
  const at = carvedEnd();
  startSection(SECTION_KV_CACHE);
  config.pages = contextPages() + <i32>pages;
  carveKvCache();
  startSection(SECTION_ACTIVATIONS);
  carveRunState();
  carveRows();
  carveSequences();
  startSection(SECTION_SAMPLER);
  if (config.edge) carveSampler();
  startSection(SECTION_ADAPTERS);
  carveAdapters(wantedSlots, wantedRank);
  startSection(SECTIONS);
  carveFrom(at);
}

/** How many pages of `cacheBudget` bytes, besides those of one context, there is room for. */
function pagesWithin(budget: f64, cacheBudget: f64): u32 {
  carveRest(0);
  const most = budget > 0 ? <u64>min(budget, <f64>MAX_MEMORY) & ~0xffff : MAX_MEMORY;
  const least = sectionAt(SECTIONS);
  const room = most > least ? <f64>(most - least) : 0;
  const bytes = max(<f64>pageBytes(), 1); // without layers they have none
  return <u32>max(min(min(room, cacheBudget) / bytes, MAX_PAGES), 0);
}

/** Goes on building the tokenizer, and binds the tensors when it is done. HEADER_READY: there is more | OK | BAD_VOCABULARY */
export function continuePlan(): i32 {
  const status = config.edge ? buildTokenizer() : OK;
  return status == OK ? bindWeights(structsAt) : status;
}

/** Binds the tensors in a place behind the header, to check them and to learn how much they take. */
function carveWeights(): i32 {
  const scratch = align64(headerEnd());
  if (!ensure(scratch + structBytes())) return failAt(OUT_OF_MEMORY, "tensors", <f64>structBytes(), <f64>MAX_MEMORY);
  carveFrom(arenaBase());
  startSection(SECTION_WEIGHTS);
  return bindTensors(<usize>scratch);
}

/** The same again where the structs stay. */
function bindWeights(structs: usize): i32 {
  carveFrom(sectionAt(SECTION_WEIGHTS));
  return bindTensors(structs);
}

/** The section begins at what is carved next; SECTIONS: the last one ends there. */
function startSection(index: i32): void {
  store<u64>(sectionTable() + 8 * index, carvedEnd());
}
function sectionAt(index: i32): u64 {
  return load<u64>(sectionTable() + 8 * index);
}

/** Bytes of a section. */
export function sectionBytes(index: i32): u64 {
  return sectionAt(index + 1) - sectionAt(index);
}
/** Bytes of all sections. */
export function arenaBytes(): u64 {
  return sectionAt(SECTIONS) - sectionAt(SECTION_WEIGHTS);
}
/** Linear memory of the plan, whole pages. */
export function memoryBytes(): u64 {
  return max((sectionAt(SECTIONS) + 0xffff) & ~0xffff, (<u64>memory.size()) << 16);
}
/** Tokens that encode() wrote, u32[TEXT_BYTES]. */
export function tokenBuffer(): usize {
  return <usize>sectionAt(SECTION_TOKENIZER);
}
