// Tools for templates that know none: everything about them becomes text, in the form of Hermes 2 Pro that Qwen2.5 and
// the Nesso models were taught (https://huggingface.co/mii-llm/nesso-0.4B-instruct, chat_template.jinja).

import { toJson } from "./json.js";
import type { Json, TemplateMessage } from "./types.js";

/** The messages with tools, calls and results in their contents. */
export function withToolText(messages: readonly TemplateMessage[], tools: readonly Json[]): TemplateMessage[] {
  const written: TemplateMessage[] = [];
  if (tools.length > 0) {
    const system = messages[0]?.role === "system" ? `${messages[0].content}\n\n` : "";
    written.push({ role: "system", content: system + describe(tools) });
  }
  const rest = tools.length > 0 && messages[0]?.role === "system" ? messages.slice(1) : messages;
  rest.forEach((message, i) => {
    const { role, content, tool_calls: calls = [] } = message;
    if (role === "tool") {
      const result = `<tool_response>\n${content}\n</tool_response>`;
      const previous = written.at(-1)!;
      if (rest[i - 1]?.role === "tool") previous.content += `\n${result}`;
      else written.push({ role: "user", content: result });
    } else if ((calls as Json[]).length > 0) {
      const blocks = (calls as unknown as TemplateCall[]).map(writeCall);
      written.push({ role, content: [...(content ? [content] : []), ...blocks].join("\n") });
    } else {
      written.push(message);
    }
  });
  return written;
}

/** A call in an assistant's message; its arguments are JSON. */
export interface TemplateCall {
  [key: string]: Json;
  function: { name: string; arguments: string };
}

function writeCall({ function: { name, arguments: text } }: TemplateCall): string {
  return `<tool_call>\n{"name": "${name}", "arguments": ${text}}\n</tool_call>`;
}

function describe(tools: readonly Json[]): string {
  return [
    "# Tools",
    "",
    "You may call one or more functions to assist with the user query.",
    "",
    "You are provided with function signatures within <tools></tools> XML tags:",
    "<tools>",
    ...tools.map(toJson),
    "</tools>",
    "",
    "For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:",
    "<tool_call>",
    '{"name": <function-name>, "arguments": <args-json-object>}',
    "</tool_call>",
  ].join("\n");
}
