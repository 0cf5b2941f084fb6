// Answers a conversation: the template makes a prompt of it, complete() continues it, and tool calls are taken out of
// the text.

import type {
  ChatFinishReason,
  ChatMessage,
  ChatPiece,
  Completion,
  GenerateOptions,
  ModelInfo,
  RefusedTool,
  ResponseFormat,
  Tool,
} from "../api/api.js";
import type { GenerationRecord } from "../engine/completion.js";
import type { Pace } from "../engine/pace.js";
import { finishInSlices } from "../grammar/index.js";
import { restOf, takeBegun, withBegun } from "./begun.js";
import { CallParser, type Parsed } from "./calls.js";
import { checkToolUse } from "./check.js";
import { presetFor } from "./presets.js";
import { encodeChat, renderChat } from "./render.js";
import { replyFormat } from "./reply_format.js";
import type { ChatModel, ChatOnly, ChatRequest } from "./types.js";

/**
 * The pieces of a reply.
 * @param signal instead of that of the request
 * @throws ZagreusError NO_CHAT_TEMPLATE, BAD_TEMPLATE, BAD_SCHEMA, INVALID_OPTION, or as complete() does
 */
export async function* answer(
  model: ChatModel,
  { generation, ...said }: ChatRequest,
  record: GenerationRecord<ChatFinishReason>,
  signal = generation.signal,
): AsyncGenerator<ChatPiece> {
  Object.assign(record, { model: model.info.name, chat: true });
  const request = { ...said, generation: { ...generation, signal } };
  const { client } = generation;
  const turn = await model.takeTurn(client, signal);
  try {
    const { prompt, options, mayCall } = await prepare(model, request, record, turn.pace);
    turn.goesWith(prompt);
    yield* reply(model.complete(prompt, options), mayCall, record);
  } finally {
    turn.release();
  }
}

async function* reply(
  completion: Completion,
  mayCall: boolean,
  record: GenerationRecord<ChatFinishReason>,
): AsyncGenerator<ChatPiece> {
  const parser = mayCall ? new CallParser() : undefined;
  let last: ChatPiece | undefined;
  for await (const piece of completion) {
    last = piece;
    const parsed = parser?.push(piece.text);
    updateRecord(record, completion, parser);
    yield parsed ? { ...piece, ...shown(parsed) } : piece;
  }
  const rest = parser?.finish();
  updateRecord(record, completion, parser);
  if (last && rest && rest.text !== "") yield { token: last.token, text: rest.text };
}

/** What is known of the reply by now. */
function updateRecord(
  record: GenerationRecord<ChatFinishReason>,
  { tokens, endToken, finishReason, usage, timings, receipt }: Completion,
  parser: CallParser | undefined,
): void {
  record.tokens.push(...tokens.slice(record.tokens.length));
  const ended = finishReason === "stop" && parser?.complete ? "tool_calls" : finishReason;
  Object.assign(record, { endToken, finishReason: ended, usage, timings, receipt });
}

/** Tokens and options of the completion that makes a reply, and whether there are tools that it may call. */
async function prepare(
  model: ChatModel,
  { messages, chat, generation }: ChatRequest,
  record: GenerationRecord<ChatFinishReason>,
  pace: Pace,
): Promise<{ prompt: number[]; options: GenerateOptions; mayCall: boolean }> {
  const { info } = model;
  const understood = await understand(info, messages, chat, generation.responseFormat, () => pace.yield());
  const { rendered, responseFormat, refused, mayCall } = understood;
  record.refusedTools = refused;
  const structured = responseFormat !== undefined && responseFormat.type !== "text";
  const options = {
    ...presetFor(info, structured),
    ...defined(generation),
    stop: [generation.stop ?? [], rendered.stop].flat(),
    responseFormat,
  };
  return { prompt: await encodeChat(model, rendered), options, mayCall };
}

/**
 * The tokens of a conversation's prompt.
 * @param pause called now and then; lets others get their turn
 * @throws ZagreusError as answer() does, but for the length
 */
export async function promptTokens(
  model: Pick<ChatModel, "info" | "tokenize">,
  messages: readonly ChatMessage[],
  options: ChatOnly & Pick<GenerateOptions, "responseFormat">,
  pause: () => Promise<void>,
): Promise<number[]> {
  const { rendered } = await understand(model.info, messages, options, options.responseFormat, pause);
  return encodeChat(model, rendered);
}

/** The prompt of a conversation, and what its reply has to be. */
async function understand(
  info: ModelInfo,
  messages: readonly ChatMessage[],
  chat: ChatOnly,
  wanted: ResponseFormat | undefined,
  pause: () => Promise<void>,
) {
  const [asked, begun] = takeBegun(messages, chat.continueFinalMessage);
  let rendered = await renderChat(info, asked, chat, pause);
  const use = checkToolUse(chat);
  const { format, refused } = await finishInSlices(replyFormat(use, wanted), pause);
  const responseFormat = await finishInSlices(restOf(format, begun), pause);
  if (refused.length > 0) {
    rendered = await renderChat(info, asked, { ...chat, tools: offered(chat, refused) }, pause);
  }
  return { rendered: withBegun(rendered, begun), responseFormat, refused, mayCall: use.tools.length > 0 };
}

function offered({ tools = [] }: ChatOnly, refused: readonly RefusedTool[]): Tool[] {
  return tools.filter((tool) => !refused.some(({ name }) => name === tool.function.name));
}

function shown({ text, toolCalls }: Parsed): Pick<ChatPiece, "text" | "toolCalls"> {
  return toolCalls.length > 0 ? { text, toolCalls } : { text };
}

/** What was given, so that presets fill in the rest. */
function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}
