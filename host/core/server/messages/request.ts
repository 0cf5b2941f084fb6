// A request for a message as one for a chat.

import type { ChatMessage } from "../../api/api.js";
import { badRequest } from "../http/errors.js";
import { isShort, parse, TOO_LONG } from "../openai/fields.js";
import type { ChatBody } from "../openai/schemas.js";
import { type Block, customTool, type MessagesBody, parseMessage } from "./schemas.js";

/** @throws ApiError 400 */
export function chatRequest(body: MessagesBody): ChatBody {
  const { model, stream, temperature, top_p, top_k, seed, cache_salt, loop_stop, repetition_penalty } = body;
  const format = body.output_config?.format;
  const messages = chatMessages(body) as ChatBody["messages"];
  const chat: Partial<ChatBody> = {
    ...{ model, stream, temperature, top_p, top_k, seed, cache_salt, loop_stop, repetition_penalty },
    messages,
    continue_final_message: messages.at(-1)?.role === "assistant",
    max_tokens: body.max_tokens,
    stop: body.stop_sequences,
    response_format: format && { type: "json_schema", json_schema: { schema: format.schema }, schema: undefined },
    ...chatTools(body),
    return_progress: true, // the first event tells how long the prompt is
  };
  return chat as ChatBody;
}

function chatMessages({ system, messages: given }: MessagesBody): ChatMessage[] {
  const systems = system === undefined ? [] : [textOf(system)];
  const messages: ChatMessage[] = [];
  for (const [i, value] of given.entries()) {
    const { role, content: blocks } = parseMessage(value, `messages[${i}]`);
    const text = textOf(blocks);
    if (role === "system") systems.push(text);
    else if (role === "assistant") addReply(messages, blocks, text);
    else addTurn(messages, blocks, text);
  }
  if (messages.at(-1)?.tool_calls) throw badRequest("messages: the last one's tool_use has no tool_result", "messages");
  return [...(systems.length > 0 ? [{ role: "system" as const, content: systems.join("\n\n") }] : []), ...messages];
}

/** Results of tools come before what is said to them. */
function addTurn(messages: ChatMessage[], blocks: readonly Block[], text: string): void {
  const results = blocks.filter((block) => block.type === "tool_result");
  for (const { tool_use_id, content = "" } of results) {
    messages.push({ role: "tool", content: textOf(content), tool_call_id: tool_use_id });
  }
  if (results.length === 0 || text !== "") messages.push({ role: "user", content: text });
}

function addReply(messages: ChatMessage[], blocks: readonly Block[], text: string): void {
  const calls = blocks.flatMap((block) =>
    block.type === "tool_use"
      ? {
          id: block.id,
          type: "function" as const,
          function: { name: block.name, arguments: JSON.stringify(block.input) },
        }
      : [],
  );
  if (calls.length > 0) messages.push({ role: "assistant", content: text || null, tool_calls: calls });
  else if (text !== "") messages.push({ role: "assistant", content: text });
}

function textOf(content: string | readonly Block[]): string {
  if (typeof content === "string") return content;
  return content.flatMap((block) => (block.type === "text" ? block.text : [])).join("\n");
}

/** Tools of the caller's; those that Anthropic runs are left out. */
function chatTools({ tools = [], tool_choice }: MessagesBody) {
  const own = tools.filter(({ type }) => type === undefined || type === "custom");
  const functions = own.map((tool, i) => {
    const { name, description, input_schema: parameters } = parse(customTool, tool, `tools[${i}]`);
    return { type: "function" as const, function: { name, description, parameters } };
  });
  if (!isShort(functions)) throw badRequest(`tools: ${TOO_LONG}`, "tools");
  const { type = "auto", name = "", disable_parallel_tool_use } = tool_choice ?? {};
  const choices = {
    auto: "auto",
    any: "required",
    none: "none",
    tool: { type: "function", function: { name } },
  } as const;
  return {
    tools: functions as ChatBody["tools"],
    tool_choice: choices[type],
    parallel_tool_calls: disable_parallel_tool_use ? false : undefined,
  };
}
