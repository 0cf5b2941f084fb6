// Adapters of test/fixtures/lora, and files that are made up.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Base } from "../../../host/core/adapters/adapter";
import { type AdapterFiles, readAdapter } from "../../../host/core/adapters/read";

export const LORA = join(import.meta.dirname, "../../fixtures/lora");

/** Of zagreus-nano. */
export const NANO: Base = {
  architecture: "llama",
  layers: 8,
  hidden: 192,
  intermediate: 512,
  heads: 3,
  kvHeads: 1,
  headSize: 64,
};

export const bytesOf = (path: string) => new Uint8Array(readFileSync(join(LORA, path)));

/** A GGUF file, or the two files of a folder. */
export function filesOf(path: string): AdapterFiles {
  const config = join(path, "adapter_config.json");
  if (!existsSync(join(LORA, config))) return { gguf: bytesOf(path) };
  return { config: bytesOf(config), weights: bytesOf(join(path, "adapter_model.safetensors")) };
}

export const readFixture = (path: string) => readAdapter(path, filesOf(path), NANO);

/** A safetensors file of f32 tensors. */
export function safetensors(
  tensors: Record<string, { shape: number[]; values?: (index: number) => number }>,
): Uint8Array {
  const header: Record<string, object> = {};
  const data: number[] = [];
  for (const [name, { shape, values = (i: number) => i / 64 }] of Object.entries(tensors)) {
    const begin = 4 * data.length;
    const count = shape.reduce((product, size) => product * size, 1);
    for (let i = 0; i < count; i++) data.push(values(i));
    header[name] = { dtype: "F32", shape, data_offsets: [begin, 4 * data.length] };
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + 4 * data.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  for (const [i, value] of data.entries()) view.setFloat32(8 + json.length + 4 * i, value, true);
  return bytes;
}

/** The two files of PEFT, with what `config` says beside the usual. */
export function peft(config: object, weights: Uint8Array): AdapterFiles {
  const whole = { peft_type: "LORA", r: 4, lora_alpha: 8, bias: "none", ...config };
  return { config: new TextEncoder().encode(JSON.stringify(whole)), weights };
}

const PREFIX = "base_model.model.model.layers";

/** Factors of query and value of layer 0, of rank 4. */
export const QUERY_VALUE = {
  [`${PREFIX}.0.self_attn.q_proj.lora_A.weight`]: { shape: [4, 192] },
  [`${PREFIX}.0.self_attn.q_proj.lora_B.weight`]: { shape: [192, 4] },
  [`${PREFIX}.0.self_attn.v_proj.lora_A.weight`]: { shape: [4, 192] },
  [`${PREFIX}.0.self_attn.v_proj.lora_B.weight`]: { shape: [64, 4] },
};
