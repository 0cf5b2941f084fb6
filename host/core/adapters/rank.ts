// The rank of an adapter before there is a model that it could be checked against: what room load() is to be asked for.

import { decode, Fields, parseObject } from "../api/json.js";
import { readGgufHeader } from "../gguf/header.js";
import { MAX_RANK } from "./adapter.js";
import { CONFIG_FILE } from "./peft_config.js";
import type { AdapterFiles } from "./read.js";

/** The largest rank that the files speak of, 1 to MAX_RANK; loading finds what is wrong with them. @throws ZagreusError for files that cannot be read */
export async function rankOf(name: string, files: AdapterFiles): Promise<number> {
  const ranks = "config" in files ? peftRanks(name, files.config) : await ggufRanks(name, files.gguf);
  return Math.min(Math.max(1, ...ranks), MAX_RANK);
}

async function ggufRanks(name: string, bytes: Uint8Array): Promise<number[]> {
  const { tensors } = await readGgufHeader({ name, read: async (length) => bytes.subarray(0, length) });
  return tensors.flatMap(({ name, dimensions }) => (name.endsWith(".lora_a") ? [dimensions[1] ?? 1] : []));
}

function peftRanks(name: string, config: Uint8Array): number[] {
  const file = `${name}: ${CONFIG_FILE}`;
  const fields = new Fields(file, parseObject(decode(config, file), file));
  const own = fields.has("rank_pattern") ? Object.values(fields.object("rank_pattern").values) : [];
  return [fields.integer("r", 1, MAX_RANK), ...own.filter((rank) => typeof rank === "number")];
}
