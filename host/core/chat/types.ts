// What a chat is made of.

import type {
  ChatMessage,
  ChatOptions,
  Completion,
  GenerateOptions,
  ModelInfo,
  Prompt,
  TokenizeOptions,
  Tool,
} from "../api/api.js";
import type { Turn } from "../engine/queue.js";

/** What a chat needs of a model. */
export interface ChatModel {
  readonly info: ModelInfo;
  tokenize(text: string, options?: TokenizeOptions): number[] | Promise<number[]>;
  complete(prompt: Prompt, options: GenerateOptions): Completion;
  /** Resolves when it is the client's turn. */
  takeTurn(client: string | undefined, signal: AbortSignal | undefined): Promise<Turn>;
}

/** What is asked for, as plain data but for the signal. */
export interface ChatRequest {
  messages: readonly ChatMessage[];
  chat: ChatOnly;
  generation: GenerateOptions;
}

/** What only chats have among their options; tools are without what they run. */
export type ChatOnly = Omit<ChatOptions, keyof GenerateOptions | "tools"> & { tools?: readonly Tool[] | undefined };

/** Plain data. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** A message as templates see it. */
export interface TemplateMessage {
  [key: string]: Json;
  role: "system" | "user" | "assistant" | "tool";
  content: string | null;
}
