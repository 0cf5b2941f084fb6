// A request for a response as one for a chat, and what its answer repeats of it.

import type { ChatMessage } from "../../api/api.js";
import { ApiError, apiError, badRequest } from "../http/errors.js";
import { parse } from "../openai/fields.js";
import type { ChatBody } from "../openai/schemas.js";
import { functionTools, type ResponsesBody, toolChoice } from "./schemas.js";
import { type ApiResponse, newId } from "./writer.js";

const LOGPROBS = "message.output_text.logprobs";

/** @throws ApiError 400 */
export function chatRequest(body: ResponsesBody, messages: readonly ChatMessage[]): ChatBody {
  if (messages.length === 0) throw badRequest("input: nothing is said in it", "input");
  const { text, include, top_logprobs, max_output_tokens, input: _, instructions: _i, ...request } = body;
  const logprobs = include?.includes(LOGPROBS) || (top_logprobs ?? 0) > 0;
  const chat: Partial<ChatBody> = {
    ...request,
    messages: messages as ChatBody["messages"],
    max_completion_tokens: max_output_tokens,
    response_format: chatFormat(text?.format),
    logprobs,
    top_logprobs: logprobs ? top_logprobs : undefined,
    ...chatTools(body),
  };
  return chat as ChatBody;
}

function chatFormat(format: NonNullable<ResponsesBody["text"]>["format"]): ChatBody["response_format"] {
  if (format?.type !== "json_schema") return format as ChatBody["response_format"];
  return { type: "json_schema", json_schema: { schema: format.schema }, schema: undefined };
}

/** Only functions can be called; what else is offered is left out, and refused where it has to be called. */
function chatTools(body: ResponsesBody): Pick<ChatBody, "tools" | "tool_choice"> {
  const offered = body.tools ?? [];
  const functions = parse(
    functionTools,
    offered.filter(({ type }) => type === "function"),
    "tools",
  );
  const choice = body.tool_choice == null ? "auto" : parse(toolChoice, body.tool_choice, "tool_choice");
  const names = typeof choice === "object" && choice.type === "allowed_tools" ? namesOf(choice.tools) : undefined;
  const tools = functions
    .filter(({ name }) => !names || names.has(name))
    .map(({ name, description, parameters }) => ({
      type: "function" as const,
      function: { name, description, parameters },
    }));
  if (typeof choice === "string") return { tools, tool_choice: choice } as Pick<ChatBody, "tools" | "tool_choice">;
  const tool_choice = choice.type === "function" ? { type: choice.type, function: { name: choice.name } } : choice.mode;
  return { tools, tool_choice } as Pick<ChatBody, "tools" | "tool_choice">;
}

const namesOf = (tools: readonly { name?: string | undefined }[]) => new Set(tools.map(({ name }) => name));

/** The answer when nothing is said yet. */
export function emptyResponse(body: ResponsesBody, model: string): ApiResponse {
  return {
    id: newId("resp"),
    object: "response",
    created_at: Math.floor(Date.now() / 1000),
    status: "in_progress",
    background: false,
    error: null,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    model,
    output: [],
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: body.previous_response_id ?? null,
    reasoning: { effort: null, summary: null },
    store: body.store ?? true,
    temperature: body.temperature ?? null,
    text: { format: body.text?.format ?? { type: "text" } },
    tool_choice: body.tool_choice ?? "auto",
    tools: body.tools ?? [],
    top_logprobs: body.top_logprobs ?? 0,
    top_p: body.top_p ?? null,
    truncation: body.truncation ?? "disabled",
    usage: null,
  };
}

const WORDS: [RegExp, string][] = [
  [/\bmax_completion_tokens\b/g, "max_output_tokens"],
  [/\bresponse_format\b/g, "text.format"],
  [/\bmessages\b(\[\d+\][\w.[\]]*)?/g, "input"],
  [/\b(tools\[\d+\])\.function\b/g, "$1"],
];

/** What went wrong with the chat, in the words of the request. */
export function inTheseWords(error: unknown): unknown {
  let described: ApiError;
  try {
    described = apiError(error, () => {
      throw error;
    });
  } catch {
    return error;
  }
  const { status, code, message, param } = described;
  if (status !== 400) return described;
  const said = (text: string) => WORDS.reduce((before, [word, ours]) => before.replace(word, ours), text);
  return new ApiError(status, said(message), { code, param: param && said(param) });
}
