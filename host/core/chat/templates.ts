// Which template a conversation is rendered with.

import type { ModelInfo } from "../api/api.js";
import { invalidOption, ZagreusError } from "../api/errors.js";

/**
 * For files that bring none. Both without tools, which tool_text.ts writes into messages.
 * chatml: Nesso-0.4B-instruct, Nesso-0.4B-agentic and Open-Zagreus-0.4B (https://github.com/mii-llm/zagreus-nesso-slm,
 * "Axolotl Configuration"); llama3: Nesso2 (nesso2/MODEL_CARD.md there), Meta's format. Bos comes from encodeChat().
 */
export const BUILT_IN = {
  chatml: [
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}",
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
  ].join(""),
  llama3: [
    "{% for message in messages %}<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n",
    "{{ message.content | trim }}<|eot_id|>{% endfor %}",
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
  ].join(""),
};

/** What transformers takes where there are tools. */
const TOOL_USE = "tool_use";

/** Models that were taught conversations, by the names that their makers gave them. */
const INSTRUCTION_TUNED = /nesso|open[-_ ]?zagreus|instruct|agentic|assistant|chat|\bsft\b/i;

/**
 * The Jinja source: what is wanted, the file's "tool_use" where there are tools, the file's default, or one by its tokens.
 * @throws ZagreusError NO_CHAT_TEMPLATE, INVALID_OPTION
 */
export function chooseTemplate(info: ModelInfo, wanted: unknown, hasTools: boolean): string {
  const { chatTemplate, namedTemplates: named = {} } = info;
  if (wanted !== undefined) {
    if (typeof wanted !== "string" || wanted === "") {
      throw invalidOption("template", wanted, 'a Jinja template, the name of one in the file, "chatml" or "llama3"');
    }
    if (Object.hasOwn(named, wanted)) return named[wanted]!;
    return Object.hasOwn(BUILT_IN, wanted) ? BUILT_IN[wanted as keyof typeof BUILT_IN] : wanted;
  }
  if (hasTools && Object.hasOwn(named, TOOL_USE)) return named[TOOL_USE]!;
  if (chatTemplate) return chatTemplate;
  if (Object.keys(named).length > 0) {
    const names = Object.keys(named).join(", ");
    const reason = `the file has several chat templates and no default: give one of ${names} as the template`;
    throw new ZagreusError("NO_CHAT_TEMPLATE", reason, { field: "template" });
  }
  const builtIn = INSTRUCTION_TUNED.test(modelName(info)) ? builtInFor(info) : undefined;
  if (builtIn !== undefined) return builtIn;
  const name = info.name === undefined ? "this model" : `"${info.name}"`;
  const reason = `${name} has no chat template: it is a base model, which continues texts and knows no conversations`;
  throw new ZagreusError("NO_CHAT_TEMPLATE", `${reason}. Use complete(), or give a template`, { field: "template" });
}

/** By what ends a text, then by the tokens that there are. */
function builtInFor({ tokenizer, ...info }: ModelInfo): string | undefined {
  const { special, eos } = tokenizer;
  if (eos !== undefined && eos === special["<|im_end|>"]) return BUILT_IN.chatml;
  if (eos !== undefined && eos === special["<|eot_id|>"]) return BUILT_IN.llama3;
  if (/nesso2/i.test(modelName(info))) return BUILT_IN.llama3;
  if ("<|im_start|>" in special) return BUILT_IN.chatml;
  if ("<|start_header_id|>" in special) return BUILT_IN.llama3;
  return undefined;
}

/** Where a file says what the model is called, beside general.name. */
export const NAME_KEYS = ["general.basename", "general.finetune", "general.repo_url", "general.source.repo_url"];

/** All that the file says about what the model is called. */
export function modelName({ name, metadata }: Pick<ModelInfo, "name" | "metadata">): string {
  return [name, ...NAME_KEYS.map((key) => metadata[key])].filter((part) => typeof part === "string").join(" ");
}
