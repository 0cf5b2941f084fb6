// Checks a conversation and its tools before anything is rendered.

import type { ChatMessage, Tool, ToolCall } from "../api/api.js";
import { list, object } from "../api/check.js";
import { invalidOption } from "../api/errors.js";
import { isObject } from "../api/is_object.js";
import type { InputCopier } from "./json.js";
import type { ChatOnly, Json, TemplateMessage } from "./types.js";

export const MAX_MESSAGES = 4096;
export const MAX_TOOLS = 128;
const MAX_CALLS = 128;
const NAME = /^[\w.-]{1,64}$/;
const ROLES = ["system", "developer", "user", "assistant", "tool"];

/** Which tools may be called in a reply, and whether one has to be. */
export interface ToolUse {
  tools: readonly Tool[];
  /** Free text may come instead of calls. */
  optional: boolean;
  parallel: boolean;
}

/**
 * The messages as templates know them; arguments of calls are text, which is the JSON of an object.
 * @throws ZagreusError INVALID_OPTION naming the path of the mistake
 */
export function checkMessages(messages: readonly ChatMessage[], copier: InputCopier): TemplateMessage[] {
  const { length } = messages;
  if (length === 0) throw invalidOption("messages", messages, "at least one message");
  if (length > MAX_MESSAGES) throw invalidOption("messages", length, `at most ${MAX_MESSAGES} messages`);
  return messages.map((message, i) => checkMessage(message, `messages[${i}]`, copier));
}

function checkMessage(message: ChatMessage, path: string, copier: InputCopier): TemplateMessage {
  object(message, path);
  const { role, content, name, tool_calls, tool_call_id } = message;
  if (!ROLES.includes(role)) throw invalidOption(`${path}.role`, role, `one of ${ROLES.join(", ")}`);
  const calls = tool_calls ?? [];
  list(calls, `${path}.tool_calls`, MAX_CALLS);
  if (calls.length > 0 && role !== "assistant") {
    throw invalidOption(`${path}.tool_calls`, calls, `absent from a message of role "${role}"`);
  }
  const checked: TemplateMessage = {
    role: role === "developer" ? "system" : role,
    content: calls.length > 0 && (content ?? null) === null ? null : checkContent(content, `${path}.content`, copier),
  };
  if (name !== undefined) checked.name = copier.text(name, `${path}.name`);
  if (tool_call_id !== undefined) checked.tool_call_id = copier.text(tool_call_id, `${path}.tool_call_id`);
  if (calls.length > 0) {
    checked.tool_calls = calls.map((call, i) => checkCall(call, `${path}.tool_calls[${i}]`, copier));
  }
  return checked;
}

/** Parts become lines. */
function checkContent(content: ChatMessage["content"], path: string, copier: InputCopier): string {
  if (!Array.isArray(content)) return copier.text(content, path);
  list(content, path, MAX_MESSAGES);
  const parts = content.map((part, i) => {
    object(part, `${path}[${i}]`);
    if (part.type !== "text") throw invalidOption(`${path}[${i}].type`, part.type, '"text"');
    return copier.text(part.text, `${path}[${i}].text`);
  });
  return parts.join("\n");
}

function checkCall(call: ToolCall, path: string, copier: InputCopier): Json {
  object(call, path);
  object(call.function, `${path}.function`);
  const { name, arguments: text } = call.function;
  checkName(name, `${path}.function.name`);
  const written = copier.text(text, `${path}.function.arguments`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // said below
  }
  if (!isObject(parsed)) {
    throw invalidOption(`${path}.function.arguments`, text, "the JSON of an object");
  }
  copier.plain(parsed, `${path}.function.arguments`);
  const called: Json = { name, arguments: written };
  if (call.id === undefined) return { type: "function", function: called };
  return { id: copier.text(call.id, `${path}.id`), type: "function", function: called };
}

/** The tools as templates see them. @throws ZagreusError INVALID_OPTION naming the path of the mistake */
export function checkTools(tools: ChatOnly["tools"], copier: InputCopier): Json[] {
  if (tools === undefined) return [];
  list(tools, "tools", MAX_TOOLS);
  const names = new Set<string>();
  return tools.map((tool, i) => {
    const path = `tools[${i}]`;
    object(tool, path);
    if (tool.type !== "function") throw invalidOption(`${path}.type`, tool.type, '"function"');
    object(tool.function, `${path}.function`);
    const { name, description, parameters } = tool.function;
    checkName(name, `${path}.function.name`);
    if (names.has(name)) throw invalidOption(`${path}.function.name`, name, "different from all others");
    names.add(name);
    if (description !== undefined) copier.text(description, `${path}.function.description`);
    if (parameters !== undefined && typeof parameters !== "boolean") {
      object(parameters, `${path}.function.parameters`);
      const { type = "object" } = parameters;
      if (type !== "object") throw invalidOption(`${path}.function.parameters.type`, type, '"object"');
    }
    return copier.plain(tool, path);
  });
}

/** @throws ZagreusError INVALID_OPTION for a choice that the tools do not offer */
export function checkToolUse({ tools = [], toolChoice = "auto", parallelToolCalls }: ChatOnly): ToolUse {
  if (parallelToolCalls !== undefined && typeof parallelToolCalls !== "boolean") {
    throw invalidOption("parallelToolCalls", parallelToolCalls, "true or false");
  }
  if (toolChoice === "none") return { tools: [], optional: true, parallel: false };
  if (toolChoice === "auto") return { tools, optional: true, parallel: parallelToolCalls ?? true };
  // Who has to call goes on calling whatever is at hand, where it is not asked for more than one.
  const parallel = parallelToolCalls ?? false;
  if (toolChoice === "required") {
    if (tools.length === 0) throw invalidOption("toolChoice", toolChoice, '"auto" or "none" without tools');
    return { tools, optional: false, parallel };
  }
  const name = toolChoice !== null && typeof toolChoice === "object" ? toolChoice.function?.name : undefined;
  const named = tools.filter((tool) => tool.function.name === name);
  if (named.length === 0) {
    throw invalidOption(
      "toolChoice",
      name ?? toolChoice,
      '"auto", "none", "required", or the function of one of the tools',
    );
  }
  return { tools: named, optional: false, parallel };
}

function checkName(name: unknown, path: string): void {
  if (typeof name === "string" && NAME.test(name)) return;
  throw invalidOption(path, name, "1 to 64 letters, digits, underscores, dots or hyphens");
}
