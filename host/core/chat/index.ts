// Answers a conversation: the template makes a prompt of it, complete() continues it, and tool calls are taken out of
// the text.

import type {
  ChatFinishReason,
  ChatMessage,
  ChatPiece,
  Completion,
  GenerateOptions,
  RefusedTool,
  Tool,
} from "../api/api.js";
import type { Report } from "../engine/generate.js";
import { checkSignal, Pace } from "../engine/pace.js";
import { finishInSlices } from "../grammar/index.js";
import { CallParser, type Parsed } from "./calls.js";
import { checkToolUse } from "./check.js";
import { presetFor } from "./presets.js";
import { encodeChat, renderChat } from "./render.js";
import { replyFormat } from "./reply_format.js";
import type { ChatModel, ChatOnly } from "./types.js";

/**
 * The pieces of a reply.
 * @param refusedTools filled in before the first piece
 * @throws ZagreusError NO_CHAT_TEMPLATE, BAD_TEMPLATE, BAD_SCHEMA, INVALID_OPTION, or as complete() does
 */
export async function* answer(
  model: ChatModel,
  messages: readonly ChatMessage[],
  chat: ChatOnly,
  generation: GenerateOptions,
  report: Report<ChatFinishReason>,
  refusedTools: RefusedTool[],
): AsyncGenerator<ChatPiece> {
  let rendered = renderChat(model.info, messages, chat);
  const use = checkToolUse(chat);
  const pace = new Pace(timer, () => checkSignal(generation.signal));
  const steps = replyFormat(use, generation.responseFormat);
  const { format: responseFormat, refused } = await finishInSlices(steps, () => pace.breathe());
  refusedTools.push(...refused);
  if (refused.length > 0) rendered = renderChat(model.info, messages, { ...chat, tools: offered(chat, refused) });
  const structured = responseFormat !== undefined && responseFormat.type !== "text";
  const completion = model.complete(await encodeChat(model, rendered), {
    ...presetFor(model.info, structured),
    ...defined(generation),
    stop: [generation.stop ?? [], rendered.stop].flat(),
    responseFormat,
  });
  if (use.tools.length === 0) {
    for await (const piece of completion) {
      note(report, completion, completion.finishReason);
      yield piece;
    }
    return note(report, completion, completion.finishReason);
  }

  const parser = new CallParser();
  const reason = () => (completion.finishReason === "stop" && parser.complete ? "tool_calls" : completion.finishReason);
  let last: ChatPiece | undefined;
  for await (const piece of completion) {
    last = piece;
    const parsed = parser.push(piece.text);
    note(report, completion, completion.finishReason && reason());
    yield { ...piece, ...shown(parsed) };
  }
  const rest = parser.finish();
  note(report, completion, reason());
  if (last && rest.text !== "") yield { token: last.token, text: rest.text };
}

const timer = () => new Promise<void>((resolve) => setTimeout(resolve));

function offered({ tools = [] }: ChatOnly, refused: readonly RefusedTool[]): Tool[] {
  return tools.filter((tool) => !refused.some(({ name }) => name === tool.function.name));
}

function shown({ text, toolCalls }: Parsed): Pick<ChatPiece, "text" | "toolCalls"> {
  return toolCalls.length > 0 ? { text, toolCalls } : { text };
}

function note(
  report: Report<ChatFinishReason>,
  { tokens, usage, timings }: Completion,
  finishReason?: ChatFinishReason,
) {
  report.tokens.push(...tokens.slice(report.tokens.length));
  Object.assign(report, { finishReason, usage, timings });
}

/** What was given, so that presets fill in the rest. */
function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}
