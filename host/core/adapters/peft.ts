// Adapters as PEFT saves them: adapter_config.json beside adapter_model.safetensors, whose tensors are
//
//     base_model.model.model.layers.N.self_attn.q_proj.lora_A.weight [rank, columns of W], and .lora_B.weight [rows of W, rank]
//
// Rows of queries and keys are in Hugging Face's order; GGUF has the two of a rotary pair side by side:
//
//     HF  a0 a1 a2 ... b0 b1 b2 ...        GGUF  a0 b0 a1 b1 a2 b2 ...        in every head

import { decode } from "../api/json.js";
import { readSafetensors, type StoredFile, type StoredTensor, weightType } from "../gguf/safetensors.js";
import {
  type Adapter,
  type Base,
  badAdapter,
  checkFactors,
  type Factors,
  makeAdapter,
  type NamedFactors,
  type NamedTensor,
  type SiteName,
} from "./adapter.js";
import { CONFIG_FILE, readPeftConfig } from "./peft_config.js";
import { decodeValues } from "./values.js";

export const WEIGHTS_FILE = "adapter_model.safetensors";

const MODULES: Record<string, SiteName> = {
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};
const PREFIX = "base_model.model.";
const MODULE = /^model\.layers\.(0|[1-9]\d{0,8})\.(\w+\.\w+)$/;

interface Pair extends NamedFactors {
  /** As PEFT's patterns see it. */
  module: string;
}

/**
 * @param name the folder's, for messages
 * @throws ZagreusError BAD_ADAPTER, FOREIGN_ADAPTER, BAD_JSON, MISSING_KEY, BAD_VALUE, and what readSafetensors() finds
 */
export async function readPeftAdapter(
  name: string,
  files: { config: Uint8Array; weights: Uint8Array },
  base: Base,
): Promise<Adapter> {
  const config = await readPeftConfig(decode(files.config, `${name}: ${CONFIG_FILE}`), `${name}: ${CONFIG_FILE}`);
  const file = `${name}: ${WEIGHTS_FILE}`;
  const tensors = await readSafetensors(inMemory(file, files.weights));
  const values = async ({ name }: NamedTensor) => valuesOf(tensors.get(name)!);
  const factors: Factors[] = [];
  for (const pair of pairs(file, tensors)) {
    const { layer, site, module } = pair;
    const { a, b, rank } = checkFactors(file, base, pair);
    checkRank(file, a.name, rank, config.rankOf(module));
    const rows = await values(b);
    const isRotary = site === "attn_q" || site === "attn_k";
    factors.push({
      layer,
      site,
      rank,
      scale: config.scaleOf(module),
      a: await values(a),
      b: isRotary ? interleaved(rows, rank, base.headSize) : rows,
    });
  }
  return makeAdapter(file, undefined, factors);
}

function checkRank(file: string, name: string, rank: number, said: number): void {
  if (rank === said) return;
  const reason = `has rank ${rank}, r in ${CONFIG_FILE} says ${said}: which scale is meant cannot be known`;
  throw badAdapter(file, name, reason, { value: rank, expected: said });
}

/** Tensors by what they belong to. @throws ZagreusError BAD_ADAPTER for one that is no factor of a layer's matrix */
function pairs(file: string, tensors: ReadonlyMap<string, StoredTensor>): Pair[] {
  const found = new Map<string, Pair>();
  for (const { name, shape } of tensors.values()) {
    const [, module, side] = /^(.*)\.lora_([AB])\.weight$/.exec(name) ?? [];
    const [, layer, place] = MODULE.exec(module?.startsWith(PREFIX) ? module.slice(PREFIX.length) : "") ?? [];
    const site = place !== undefined && Object.hasOwn(MODULES, place) ? MODULES[place] : undefined;
    if (module === undefined || layer === undefined || !site) throw noFactor(file, name);
    const pair = found.get(module) ?? { layer: Number(layer), site, module: module.slice(PREFIX.length) };
    pair[side === "A" ? "a" : "b"] = { name, shape };
    found.set(module, pair);
  }
  return [...found.values()];
}

function noFactor(file: string, name: string) {
  const what = [
    [/lora_magnitude_vector/, "makes it DoRA"],
    [/lora_embedding|embed_tokens|lm_head/, "changes the embedding or the head"],
    [/lora_[AB]\.bias/, "is a bias"],
    [/lora_/, "changes something else"],
  ] as const;
  const reason = what.find(([pattern]) => pattern.test(name))?.[1] ?? "replaces a weight of the base (modules_to_save)";
  const expected = `factors (lora_A, lora_B) of ${Object.keys(MODULES).join(", ")}`;
  return badAdapter(file, name, `${reason}, must be ${expected}`, { expected });
}

async function valuesOf(tensor: StoredTensor): Promise<Float32Array> {
  const { name, shape, offset, byteLength, file } = tensor;
  const type = weightType(tensor);
  const count = shape.reduce((product, size) => product * size, 1);
  return decodeValues(file.name, name, type, await file.read(offset, byteLength), count);
}

/** Rows of `rank` values from Hugging Face's order to GGUF's. */
function interleaved(rows: Float32Array, rank: number, headSize: number): Float32Array {
  const result = new Float32Array(rows.length);
  for (let row = 0; row < rows.length / rank; row++) {
    const within = row % headSize;
    const stored = row - within + (within >> 1) + (within & 1) * (headSize / 2);
    result.set(rows.subarray(stored * rank, (stored + 1) * rank), row * rank);
  }
  return result;
}

function inMemory(name: string, bytes: Uint8Array): StoredFile {
  return {
    name,
    byteLength: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
  };
}
