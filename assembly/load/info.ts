// What info() answers.

import { header } from "../gguf/header";
import { dimension, tensorCount, tensorRecord } from "../gguf/tensors";
import {
  INFO_ADD_BOS,
  INFO_ARENA_BYTES,
  INFO_BLANK_FIRST,
  INFO_BOS,
  INFO_CONTEXT,
  INFO_DATA_OFFSET,
  INFO_EOS,
  INFO_FILE_BYTES,
  INFO_HEAD_SIZE,
  INFO_HEADS,
  INFO_HIDDEN,
  INFO_INTERMEDIATE,
  INFO_KV_HEADS,
  INFO_KV_TYPE,
  INFO_LAYERS,
  INFO_MEMORY_BYTES,
  INFO_NORM_EPSILON,
  INFO_PAGE_BYTES,
  INFO_PAGE_PARTS,
  INFO_PAGES,
  INFO_PARAMETERS,
  INFO_ROPE_THETA,
  INFO_SECTION,
  INFO_SEQUENCES,
  INFO_TIED,
  INFO_TRAINED_CONTEXT,
  INFO_VOCABULARY,
  SECTIONS,
  TENSOR_BYTES,
  TENSOR_OFFSET,
} from "../layout/abi";
import { config } from "../model/config";
import { pageBytes, pageParts } from "../model/kv_cache";
import { infoTable } from "../runtime/memory";
import { startsWithBlank } from "../tokenizer/index";
import { arenaBytes, memoryBytes, sectionBytes } from "./arena";

const IDS = INFO_SECTION + SECTIONS;

/** The number with that id, NaN for an unknown one or without a plan. */
export function planInfo(id: i32): f64 {
  return <u32>id < <u32>IDS ? load<f64>(infoTable() + 8 * id) : NaN;
}

function set(id: i32, value: f64): void {
  store<f64>(infoTable() + 8 * id, value);
}

/** No number is known. */
export function clearInfo(): void {
  for (let id = 0; id < IDS; id++) set(id, NaN);
}

/** Enters what the file says and the plan takes. */
export function fillInfo(): void {
  set(INFO_LAYERS, config.modelLayers);
  set(INFO_HIDDEN, config.hidden);
  set(INFO_INTERMEDIATE, config.intermediate);
  set(INFO_HEADS, config.heads);
  set(INFO_KV_HEADS, config.kvHeads);
  set(INFO_HEAD_SIZE, config.headSize);
  set(INFO_VOCABULARY, config.vocabulary);
  set(INFO_TRAINED_CONTEXT, config.trainedContext);
  set(INFO_CONTEXT, config.context);
  set(INFO_KV_TYPE, config.kvType);
  set(INFO_ROPE_THETA, config.ropeTheta);
  set(INFO_NORM_EPSILON, config.normEpsilon);
  set(INFO_TIED, config.tied ? 1 : 0);
  set(INFO_BOS, config.bos);
  set(INFO_EOS, config.eos);
  set(INFO_ADD_BOS, config.addBos ? 1 : 0);
  set(INFO_BLANK_FIRST, startsWithBlank() ? 1 : 0);
  set(INFO_SEQUENCES, config.sequences);
  set(INFO_PAGES, config.pages);
  set(INFO_PAGE_BYTES, <f64>pageBytes());
  set(INFO_PAGE_PARTS, pageParts());
  set(INFO_PARAMETERS, parameterCount());
  set(INFO_DATA_OFFSET, <f64>header.dataOffset);
  set(INFO_FILE_BYTES, fileBytes());
  set(INFO_ARENA_BYTES, <f64>arenaBytes());
  set(INFO_MEMORY_BYTES, <f64>memoryBytes());
  for (let i = 0; i < SECTIONS; i++) set(INFO_SECTION + i, <f64>sectionBytes(i));
}

function parameterCount(): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < tensorCount(); i++) {
    const record = tensorRecord(i);
    sum += <f64>(dimension(record, 0) * dimension(record, 1));
  }
  return sum;
}

/** Bytes that the file must have. */
function fileBytes(): f64 {
  if (tensorCount() == 0) return <f64>header.dataOffset;
  const last = tensorRecord(tensorCount() - 1);
  return <f64>(header.dataOffset + load<u64>(last, TENSOR_OFFSET) + load<u64>(last, TENSOR_BYTES));
}
