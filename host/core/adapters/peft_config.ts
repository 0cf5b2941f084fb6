// adapter_config.json of PEFT: what of it is done here, and what is refused by its name.

import { type Fields, Fields as FieldsOf, parseObject } from "../api/json.js";
import { badAdapter, MAX_RANK } from "./adapter.js";
import { matcher } from "./pattern.js";

export const CONFIG_FILE = "adapter_config.json";

/** What a module is told of its factors. */
export interface PeftConfig {
  /** @param module as "model.layers.0.self_attn.q_proj" */
  rankOf(module: string): number;
  scaleOf(module: string): number;
}

/** Ways to begin that change the base's own weights too: what was saved is the rest of it. */
const BASE_CHANGING = /^(pissa|olora|corda|loftq|lora_ga)/i;

/** What must not be there, or be nothing. */
const REFUSED: Record<string, string> = {
  use_dora: "makes it DoRA",
  use_qalora: "makes it QALoRA",
  use_bdlora: "makes it BD-LoRA",
  modules_to_save: "replaces whole layers",
  trainable_token_indices: "replaces rows of the embedding",
  target_parameters: "changes parameters that are no linear layers",
  layer_replication: "repeats layers of the base",
  alora_invocation_tokens: "makes it one that applies behind certain tokens only (aLoRA)",
  lora_bias: "adds a bias to B",
  fan_in_fan_out: "has its base's weights transposed",
  arrow_config: "makes it a router of adapters (Arrow)",
};

/** @throws ZagreusError BAD_ADAPTER for what cannot be done, BAD_JSON, MISSING_KEY, BAD_VALUE */
export async function readPeftConfig(json: string, file: string): Promise<PeftConfig> {
  const fields = new FieldsOf(file, parseObject(json, file));
  const type = fields.text("peft_type");
  if (type !== "LORA") throw badAdapter(file, "peft_type", `is ${type}, must be LORA`, { value: type });
  for (const [key, what] of Object.entries(REFUSED)) {
    if (!isNothing(fields.get(key)))
      throw badAdapter(file, key, `${what}, which is not supported`, { value: fields.get(key) });
  }
  const bias = fields.text("bias", "none");
  if (bias !== "none") throw badAdapter(file, "bias", `is ${bias}, must be none`, { value: bias });
  const begun = fields.get("init_lora_weights");
  if (typeof begun === "string" && BASE_CHANGING.test(begun)) {
    const reason = `is ${begun}, which changes the base as well; save it with path_initial_model_for_weight_conversion`;
    throw badAdapter(file, "init_lora_weights", reason, { value: begun });
  }
  const rank = fields.integer("r", 1, MAX_RANK);
  const alpha = number(fields, "lora_alpha", 8); // PEFT's default
  const isRootScaled = fields.boolean("use_rslora", false);
  const ranks = await pattern(fields, "rank_pattern");
  const alphas = await pattern(fields, "alpha_pattern");
  const rankOf = (module: string) => ranks(module) ?? rank;
  return {
    rankOf,
    scaleOf(module) {
      const own = rankOf(module);
      return (alphas(module) ?? alpha) / (isRootScaled ? Math.sqrt(own) : own);
    },
  };
}

function isNothing(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === false || value === "";
}

function number(fields: Fields, key: string, absent?: number): number {
  const value = fields.get(key) ?? absent;
  if (typeof value !== "number" || !Number.isFinite(value)) throw fields.bad(key, value, "a finite number");
  return value;
}

/** The value of the first pattern that a module matches. */
async function pattern(fields: Fields, key: string): Promise<(module: string) => number | undefined> {
  if (isNothing(fields.get(key))) return () => undefined;
  const values = fields.object(key);
  const isRank = key === "rank_pattern";
  const entries: { matches: (module: string) => boolean; value: number }[] = [];
  for (const name of Object.keys(values.values)) {
    const value = isRank ? values.integer(name, 1, MAX_RANK) : number(values, name);
    entries.push({ matches: await matcher(name, fields.file, key), value });
  }
  return (module) => entries.find(({ matches }) => matches(module))?.value;
}
