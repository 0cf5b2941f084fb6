// From messages to the prompt.

import type { ChatMessage, ModelInfo } from "../api/api.js";
import { invalidOption } from "../api/errors.js";
import { END_TOKENS } from "../api/names.js";
import { checkMessages, checkTools } from "./check.js";
import { Intake, mapText } from "./json.js";
import { Shield } from "./shield.js";
import { renderTemplate } from "./template.js";
import { chooseTemplate } from "./templates.js";
import { withToolText } from "./tool_text.js";
import type { ChatModel, ChatOnly, Json } from "./types.js";

/** What templates are given anyway. */
const RESERVED = ["messages", "tools", "documents", "add_generation_prompt", "bos_token", "eos_token", "namespace"];

export interface RenderedChat {
  /** As transformers' apply_chat_template(tokenize=False, add_generation_prompt=True) gives it. */
  text: string;
  /** Control tokens of the template, and text that holds none. */
  parts: (string | number)[];
  /** Ends of a turn that are no token in this vocabulary. */
  stop: string[];
}

/**
 * The prompt of a conversation.
 * @throws ZagreusError INVALID_OPTION naming the message or tool with a mistake, BAD_TEMPLATE, NO_CHAT_TEMPLATE
 */
export function renderChat(info: ModelInfo, messages: readonly ChatMessage[], options: ChatOnly = {}): RenderedChat {
  const { special, bos, eos } = info.tokenizer;
  const source = chooseTemplate(info, options.template);
  const knowsTools = /\btools\b/.test(source);
  const intake = new Intake();
  const parse = knowsTools && !/\barguments['"\]]*\s+is\s+(not\s+)?string\b/.test(source);
  const conversation = checkMessages(messages, intake, parse);
  const declared = checkTools(options.tools, intake);
  const tools = options.toolChoice === "none" ? [] : declared;
  const variables = checkVariables(options.templateVariables, intake);
  const shield = new Shield(special, JSON.stringify([source, conversation, tools, variables]));
  const protect = (text: string) => shield.protect(text);
  const given = {
    messages: mapText(knowsTools ? conversation : withToolText(conversation, tools), protect),
    tools: knowsTools && tools.length > 0 ? mapText(tools, protect) : null,
    documents: null,
  };
  const token = (id: number | undefined) => Object.keys(special).find((name) => special[name] === id) ?? "";
  const rendered = renderTemplate(source, {
    ...(mapText(variables, protect) as object),
    ...given,
    add_generation_prompt: true,
    bos_token: token(bos),
    eos_token: token(eos),
  });
  return {
    text: shield.restore(rendered),
    parts: shield.split(rendered),
    stop: END_TOKENS.filter((end) => source.includes(end) && !(end in special)),
  };
}

/** Token ids of a rendered chat, with one bos at the start if the model wants it or the template wrote some. */
export async function encodeChat(model: ChatModel, { parts }: RenderedChat): Promise<number[]> {
  const { bos, addBos } = model.info.tokenizer;
  const encoded = await Promise.all(
    parts.map((part) => (typeof part === "number" ? [part] : model.tokenize(part, { special: false, bos: false }))),
  );
  const tokens = encoded.flat();
  const text = tokens.findIndex((token) => token !== bos);
  const leading = text < 0 ? tokens.length : text;
  return bos !== undefined && (addBos || leading > 0) ? [bos, ...tokens.slice(leading)] : tokens;
}

function checkVariables(variables: unknown, intake: Intake): { [name: string]: Json } {
  if (variables === undefined) return {};
  if (variables === null || typeof variables !== "object" || Array.isArray(variables)) {
    throw invalidOption("templateVariables", variables, "an object");
  }
  const taken = Object.keys(variables).find((name) => RESERVED.includes(name));
  if (taken !== undefined) throw invalidOption("templateVariables", taken, `free of ${RESERVED.join(", ")}`);
  return intake.plain(variables, "templateVariables") as { [name: string]: Json };
}
