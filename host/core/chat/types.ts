// What a chat is made of.

import type { ChatOptions, Completion, GenerateOptions, ModelInfo, Prompt, TokenizeOptions } from "../api/api.js";

/** What a chat needs of a model, be it here or in another thread. */
export interface ChatModel {
  readonly info: ModelInfo;
  complete(prompt: Prompt, options?: GenerateOptions): Completion;
  tokenize(text: string, options?: TokenizeOptions): number[] | Promise<number[]>;
}

/** What only chats have among their options. */
export type ChatOnly = Omit<ChatOptions, keyof GenerateOptions>;

/** Plain data. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** A message as templates see it. */
export interface TemplateMessage {
  [key: string]: Json;
  role: "system" | "user" | "assistant" | "tool";
  content: string | null;
}
