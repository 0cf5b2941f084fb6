// The caller's side of a chat. What it takes to answer one is loaded when the reply is read.

import type {
  ChatCompletion,
  ChatFinishReason,
  ChatMessage,
  ChatOptions,
  ChatPiece,
  Model,
  RefusedTool,
  RunToolsOptions,
  ToolRun,
} from "../api/api.js";
import { invalidOption } from "../api/errors.js";
import { checkGenerateOptions } from "../api/options.js";
import type { Reply } from "../chat/message.js";
import type { ChatModel, ChatOnly } from "../chat/types.js";
import { ReadOnce } from "../engine/completion.js";
import type { Report } from "../engine/generate.js";

/** @throws ZagreusError INVALID_OPTION for what a generation knows of too; all else is found when the reply is read */
export function startChat(model: ChatModel, messages: readonly ChatMessage[], options: ChatOptions): ChatCompletion {
  checkArguments(messages, options);
  const { tools, toolChoice, parallelToolCalls, template, templateVariables, ...generation } = options;
  const chat: ChatOnly = { tools, toolChoice, parallelToolCalls, template, templateVariables };
  const { vocabulary, contextLength } = model.info;
  const { seed } = checkGenerateOptions(generation, vocabulary, contextLength);
  const taken = [...messages];
  const refusedTools: RefusedTool[] = [];
  return new ModelChat(seed, refusedTools, async function* (report) {
    const { answer } = await import("../chat/index.js");
    yield* answer(model, taken, chat, { ...generation, seed }, report, refusedTools);
  });
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
  return (await import("../chat/run_tools.js")).runTools(model, messages, options);
}

function checkArguments(messages: unknown, options: unknown): void {
  if (!Array.isArray(messages)) throw invalidOption("messages", messages, "a list of messages");
  if (options === null || typeof options !== "object") throw invalidOption("options", options, "an object");
}

class ModelChat extends ReadOnce<ChatPiece, ChatFinishReason> implements ChatCompletion {
  readonly refusedTools: readonly RefusedTool[];

  constructor(
    seed: bigint,
    refusedTools: readonly RefusedTool[],
    generate: (report: Report<ChatFinishReason>) => AsyncGenerator<ChatPiece>,
  ) {
    super(seed, generate);
    this.refusedTools = refusedTools;
  }

  async message(): Promise<Reply> {
    return (await import("../chat/message.js")).collectReply(this);
  }
}
