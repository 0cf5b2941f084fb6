// The caller's side of a chat. What it takes to answer one is loaded when the reply is read.

import type {
  ChatCompletion,
  ChatFinishReason,
  ChatMessage,
  ChatOptions,
  ChatPiece,
  Model,
  ModelInfo,
  RefusedTool,
  RunToolsOptions,
  Tool,
  ToolRun,
} from "../api/api.js";
import { object } from "../api/check.js";
import { invalidOption, part } from "../api/errors.js";
import { checkGenerateOptions } from "../api/options.js";
import type { AssistantMessage } from "../chat/message.js";
import type { ChatModel, ChatOnly, ChatRequest } from "../chat/types.js";
import { type GenerationRecord, ReadOnce } from "../engine/completion.js";

/** Makes the pieces of a reply, when they are asked for. */
type Answer = (
  request: ChatRequest,
  record: GenerationRecord<ChatFinishReason>,
  signal?: AbortSignal,
) => AsyncGenerator<ChatPiece>;

/** @throws ZagreusError INVALID_OPTION for what a generation knows of too; all else is found when the reply is read */
export function startChat(
  { vocabulary, contextLength }: Pick<ModelInfo, "vocabulary" | "contextLength">,
  messages: readonly ChatMessage[],
  options: ChatOptions,
  answer: Answer,
): ChatCompletion {
  checkArguments(messages, options);
  const { tools, toolChoice, parallelToolCalls, template, templateVariables, continueFinalMessage, ...generation } =
    options;
  const chat: ChatOnly = {
    tools: tools && declarations(tools),
    toolChoice,
    parallelToolCalls,
    template,
    templateVariables,
    continueFinalMessage,
  };
  const { seed } = checkGenerateOptions(generation, vocabulary, contextLength);
  const request = { messages: [...messages], chat, generation: { ...generation, seed } };
  return new ModelChat(seed, (...reader) => answer(request, ...reader), generation);
}

/** Tools without their functions, which no other thread could take; what is no tool is told later. */
function declarations(tools: NonNullable<ChatOptions["tools"]>): readonly Tool[] {
  if (!Array.isArray(tools)) return tools;
  return tools.map((tool) => {
    if (typeof tool?.run !== "function") return tool;
    const { run: _, ...declared } = tool;
    return declared;
  });
}

/** The answer of a model that is here. */
export function answerBy(model: ChatModel): Answer {
  return async function* (...asked) {
    yield* (await part(import("../chat/index.js"))).answer(model, ...asked);
  };
}

/**
 * Lets the model answer and call tools until it calls none: a loop of chat() and the tools' functions.
 * @throws ZagreusError as chat() does; INVALID_OPTION, ABORTED
 */
export async function runTools(
  model: Pick<Model, "chat">,
  messages: readonly ChatMessage[],
  options: RunToolsOptions,
): Promise<ToolRun> {
  checkArguments(messages, options);
  return (await part(import("../chat/run_tools.js"))).runTools(model, messages, options);
}

function checkArguments(messages: unknown, options: unknown): void {
  if (!Array.isArray(messages)) throw invalidOption("messages", messages, "a list of messages");
  object(options, "options");
}

class ModelChat extends ReadOnce<ChatPiece, ChatFinishReason> implements ChatCompletion {
  get refusedTools(): readonly RefusedTool[] {
    return this.record.refusedTools;
  }

  async message(): Promise<AssistantMessage> {
    return (await part(import("../chat/message.js"))).collectReply(this);
  }
}
