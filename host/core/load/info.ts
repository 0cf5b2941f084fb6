// Model.info: what the file says, and the plan.

import * as abi from "../../../assembly/layout/abi.js";
import { BLOCK } from "../../../assembly/layout/kv.js";
import type { ModelInfo, Plan, TensorInfo } from "../api/api.js";
import { kvTypeName, mixName, tensorTypeName } from "../api/names.js";
import type { BuildChoice } from "../wasm/builds.js";
import type { Core } from "../wasm/core.js";
import type { ModelMetadata } from "./metadata.js";

/** Reads everything after plan() but control tokens, and ends known by their text (engine/tokenizer.ts). */
export function readInfo(core: Core, metadata: ModelMetadata, { build, threads }: BuildChoice): ModelInfo {
  const info = (id: number) => core.exports.info(id);
  const token = (id: number) => (info(id) >= 0 ? info(id) : undefined);
  const tensors = readTensors(core);
  const { values } = metadata;
  const name = values["general.name"];
  return {
    architecture: String(values["general.architecture"]),
    name: typeof name === "string" ? name : undefined,
    quantization: mixName(values["general.file_type"]) ?? prevailingType(tensors),
    parameters: info(abi.INFO_PARAMETERS),
    layers: info(abi.INFO_LAYERS),
    hidden: info(abi.INFO_HIDDEN),
    intermediate: info(abi.INFO_INTERMEDIATE),
    heads: info(abi.INFO_HEADS),
    kvHeads: info(abi.INFO_KV_HEADS),
    headSize: info(abi.INFO_HEAD_SIZE),
    vocabulary: info(abi.INFO_VOCABULARY),
    trainedContext: info(abi.INFO_TRAINED_CONTEXT),
    contextLength: info(abi.INFO_CONTEXT),
    kvType: kvTypeName(info(abi.INFO_KV_TYPE)),
    sequences: info(abi.INFO_SEQUENCES),
    cacheLength: info(abi.INFO_PAGES) * BLOCK,
    ropeTheta: info(abi.INFO_ROPE_THETA),
    normEpsilon: info(abi.INFO_NORM_EPSILON),
    tiedEmbeddings: info(abi.INFO_TIED) === 1,
    tokenizer: {
      bos: token(abi.INFO_BOS),
      eos: token(abi.INFO_EOS),
      addBos: info(abi.INFO_ADD_BOS) === 1 && info(abi.INFO_BOS) >= 0,
      end: metadata.ends,
      special: {},
      userDefined: {},
    },
    chatTemplate: metadata.chatTemplate,
    namedTemplates: metadata.namedTemplates,
    plan: readPlan(core),
    build,
    threads,
    sampling: { text: {}, chat: {}, structure: {}, source: undefined },
    fileBytes: info(abi.INFO_FILE_BYTES),
    metadata: values,
    tensors,
  };
}

function readPlan(core: Core): Plan {
  const section = (index: number) => core.exports.info(abi.INFO_SECTION + index);
  return {
    weights: section(abi.SECTION_WEIGHTS),
    kvCache: section(abi.SECTION_KV_CACHE),
    activations: section(abi.SECTION_ACTIVATIONS),
    tokenizer: section(abi.SECTION_TOKENIZER),
    sampler: section(abi.SECTION_SAMPLER),
    tensorRecords: section(abi.SECTION_TENSORS),
    adapters: section(abi.SECTION_ADAPTERS),
    arena: core.exports.info(abi.INFO_ARENA_BYTES),
    memory: core.exports.info(abi.INFO_MEMORY_BYTES),
  };
}

function readTensors(core: Core): TensorInfo[] {
  const dataOffset = core.exports.info(abi.INFO_DATA_OFFSET);
  return Array.from({ length: core.exports.tensorCount() }, (_, i) => {
    const address = core.exports.tensorEntry(i) >>> 0;
    const record = core.view(address, abi.TENSOR_RECORD_BYTES);
    const rank = record.getUint32(abi.TENSOR_RANK, true);
    return {
      name: core.text(address + abi.TENSOR_NAME, record.getUint32(abi.TENSOR_NAME_LENGTH, true)),
      type: tensorTypeName(record.getUint32(abi.TENSOR_TYPE, true)),
      dimensions: Array.from({ length: rank }, (_, d) =>
        Number(record.getBigUint64(abi.TENSOR_DIMENSIONS + 8 * d, true)),
      ),
      offset: dataOffset + Number(record.getBigUint64(abi.TENSOR_OFFSET, true)),
      bytes: Number(record.getBigUint64(abi.TENSOR_BYTES, true)),
    };
  });
}

/** The type that most weights have. */
function prevailingType(tensors: readonly TensorInfo[]): string {
  const weights = new Map<string, number>();
  for (const { type, dimensions } of tensors) {
    weights.set(type, (weights.get(type) ?? 0) + dimensions.reduce((product, d) => product * d, 1));
  }
  return [...weights].reduce((best, entry) => (entry[1] > best[1] ? entry : best), ["none", 0])[0];
}
