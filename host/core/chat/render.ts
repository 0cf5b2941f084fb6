// From messages to the prompt.

import type { ChatMessage, ModelInfo } from "../api/api.js";
import { object } from "../api/check.js";
import { invalidOption, ZagreusError } from "../api/errors.js";
import { END_TOKENS } from "../api/names.js";
import { checkMessages, checkTools } from "./check.js";
import { CallArguments, fromJson, parseJson, Runtime, type Value } from "./jinja/index.js";
import { InputCopier, mapText } from "./json.js";
import { Shield } from "./shield.js";
import { renderTemplate } from "./template.js";
import { chooseTemplate } from "./templates.js";
import { type TemplateCall, withToolText } from "./tool_text.js";
import type { ChatModel, ChatOnly, Json, TemplateMessage } from "./types.js";

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
 * @param pause called now and then; lets others get their turn
 * @throws ZagreusError INVALID_OPTION naming the message or tool with a mistake, BAD_TEMPLATE, NO_CHAT_TEMPLATE; what `pause` throws
 */
export async function renderChat(
  info: ModelInfo,
  messages: readonly ChatMessage[],
  options: ChatOnly,
  pause: () => Promise<void>,
): Promise<RenderedChat> {
  const { special, bos, eos } = info.tokenizer;
  const copier = new InputCopier();
  const conversation = checkMessages(messages, copier);
  const declared = checkTools(options.tools, copier);
  const tools = options.toolChoice === "none" ? [] : declared;
  const source = chooseTemplate(info, options.template, tools.length > 0);
  const variables = checkVariables(options.templateVariables, copier);
  const knowsTools = /\btools\b/.test(source);
  const text = JSON.stringify([source, conversation, tools, variables]);
  const shield = new Shield(special, turnMarkers(info, source), text);
  const token = (id: number | undefined) => Object.keys(special).find((name) => special[name] === id) ?? "";
  const input = { variables, tools: null, tokens: { bos_token: token(bos), eos_token: token(eos) } };
  const withTools = async () => {
    const says = (messages: TemplateMessage[]) => renderInput(source, shield, pause, { ...input, messages });
    const isOpen = tools.length > 0 && conversation[0]!.role !== "system";
    return withToolText(isOpen ? [...(await systemMessageOf(says)), ...conversation] : conversation, tools);
  };
  const rendered = await renderInput(
    source,
    shield,
    pause,
    knowsTools
      ? { ...input, messages: conversation, tools: tools.length > 0 ? tools : null }
      : { ...input, messages: await withTools() },
  );
  return {
    text: shield.restore(rendered),
    parts: shield.split(rendered),
    stop: END_TOKENS.filter((end) => source.includes(end) && !(end in special)),
  };
}

/** The system message that a template writes where there is none, found by what it makes of one: tools are going to take its place. */
async function systemMessageOf(says: (messages: TemplateMessage[]) => Promise<string>): Promise<TemplateMessage[]> {
  const user: TemplateMessage = { role: "user", content: "user0" };
  const system = "system0";
  try {
    const without = await says([user]);
    const [head, tail] = (await says([{ role: "system", content: system }, user])).split(system);
    if (head === undefined || tail === undefined || without.length <= head.length + tail.length) return [];
    if (!without.startsWith(head) || !without.endsWith(tail)) return [];
    return [{ role: "system", content: without.slice(head.length, without.length - tail.length) }];
  } catch (error) {
    if (error instanceof ZagreusError && ["BAD_TEMPLATE", "INVALID_OPTION"].includes(error.code)) return [];
    throw error;
  }
}

interface TemplateInput {
  variables: { [name: string]: Json };
  messages: TemplateMessage[];
  tools: Json[] | null;
  tokens: Record<string, string>;
}

/** Renders with `tools` as None where there are none, as transformers does; a template that fails then is given no `tools` at all. */
async function renderInput(
  source: string,
  shield: Shield,
  pause: () => Promise<void>,
  input: TemplateInput,
): Promise<string> {
  // A template that reads arguments from text itself does so with a filter that Jinja does not have.
  const isText = !/\bfrom_?json\b/.test(source);
  const attempt = (withTools: boolean) => {
    const runtime = new Runtime(shield.guards);
    const value = (json: Json) =>
      fromJson(
        mapText(json, (text) => shield.protect(text)),
        runtime,
      );
    const all: [string, Value][] = [
      ...Object.entries(input.variables).map(([name, json]): [string, Value] => [name, value(json)]),
      ["messages", input.messages.map((message) => messageValue(message, isText, shield, runtime))],
      ["documents", null],
      ["add_generation_prompt", true],
      ...Object.entries(input.tokens),
    ];
    if (withTools) all.push(["tools", input.tools && value(input.tools)]);
    return renderTemplate(source, new Map(all), runtime, pause);
  };
  try {
    return await attempt(true);
  } catch (error) {
    const isNone = error instanceof ZagreusError && error.code === "BAD_TEMPLATE" && /NoneType/.test(error.message);
    if (input.tools !== null || !isNone) throw error;
    return attempt(false);
  }
}

/**
 * A message as templates see it: calls' arguments are text where they are written, and a mapping in all else.
 * @param isText whether `is string` holds for arguments
 */
function messageValue(message: TemplateMessage, isText: boolean, shield: Shield, runtime: Runtime): Value {
  const protect = (text: string) => shield.protect(text);
  const { tool_calls, ...rest } = message;
  if (tool_calls === undefined) return fromJson(mapText(rest, protect), runtime);
  const calls = (tool_calls as unknown as TemplateCall[]).map(({ function: { name, arguments: text }, ...call }) => {
    const entries = parseJson(text, protect, runtime).entries();
    const written = new CallArguments(runtime, entries, protect(text), isText);
    return fromJson(
      { ...(mapText(call, protect) as object), function: { name: protect(name), arguments: written } },
      runtime,
    );
  });
  return fromJson({ ...(mapText(rest, protect) as object), tool_calls: calls }, runtime);
}

/** User-defined tokens that are as good as control tokens: those that the template writes, and those that look like some. */
export function turnMarkers({ tokenizer: { userDefined = {} } }: ModelInfo, source: string): Record<string, number> {
  const isMarker = (name: string) =>
    /[^\s\p{L}\p{N}]/u.test(name) && (/^<\|.*\|>$/.test(name) || source.includes(name));
  return Object.fromEntries(Object.entries(userDefined).filter(([name]) => [...name].length > 1 && isMarker(name)));
}

/** Token ids of a rendered chat, with one bos at the start if the model wants it or the template wrote some. */
export async function encodeChat(
  model: Pick<ChatModel, "info" | "tokenize">,
  { parts }: RenderedChat,
): Promise<number[]> {
  const { bos, addBos } = model.info.tokenizer;
  const encoded = await Promise.all(
    parts.map((part, i) => {
      if (typeof part === "number") return [part];
      return model.tokenize(part, { special: false, bos: false, continues: typeof parts[i - 1] === "string" });
    }),
  );
  const tokens = encoded.flat();
  const text = tokens.findIndex((token) => token !== bos);
  const leading = text < 0 ? tokens.length : text;
  return bos !== undefined && (addBos || leading > 0) ? [bos, ...tokens.slice(leading)] : tokens;
}

function checkVariables(variables: unknown, copier: InputCopier): { [name: string]: Json } {
  if (variables === undefined) return {};
  const given = object(variables, "templateVariables");
  const taken = Object.keys(given).find((name) => RESERVED.includes(name));
  if (taken !== undefined) throw invalidOption("templateVariables", taken, `free of ${RESERVED.join(", ")}`);
  return copier.plain(given, "templateVariables") as { [name: string]: Json };
}
