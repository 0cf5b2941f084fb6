// The body of POST /v1/messages (https://docs.anthropic.com/en/api/messages). What is not named here is ignored: thinking, metadata,
// cache_control, service_tier and their like.

import * as z from "zod";
import { MAX_MESSAGES } from "../../chat/check.js";
import { list, optional, parse, schema } from "../openai/fields.js";
import { shared } from "../openai/schemas.js";

const MAX_OFFERED = 512;

const textBlock = z.object({ type: z.literal("text"), text: z.string() });
const texts = z.union([z.string(), list(textBlock, MAX_MESSAGES)], {
  error: "must be a string or a list of text blocks; images and documents are not understood",
});
const toolResult = z.object({
  type: z.literal("tool_result"),
  tool_use_id: z.string().min(1),
  content: optional(texts),
});
const toolUse = z.object({
  type: z.literal("tool_use"),
  id: z.string().min(1),
  name: z.string(),
  input: z.looseObject({}),
});
const thought = z.object({ type: z.enum(["thinking", "redacted_thinking"]) });
const block = z.discriminatedUnion("type", [textBlock, toolResult, toolUse, thought], {
  error: "must be a block of type text, tool_use, tool_result or thinking; images and documents are not understood",
});
export type Block = z.infer<typeof block>;

const message = z.object({
  role: z.enum(["user", "assistant", "system"]),
  content: z.preprocess(
    (value) => (typeof value === "string" ? [{ type: "text", text: value }] : value),
    list(block, MAX_MESSAGES),
  ),
});
export type Message = z.infer<typeof message>;

const { model, stream, top_p, top_k, seed, cache_salt, loop_stop, repetition_penalty, temperature } = shared;
const request = z.object({
  ...{ model, stream, temperature, top_p, top_k, seed, cache_salt, loop_stop, repetition_penalty },
  messages: list(z.unknown(), MAX_MESSAGES, 1),
  system: optional(texts),
  max_tokens: optional(z.int().min(1)),
  stop_sequences: optional(list(z.string().min(1), 16)),
  tools: optional(list(z.looseObject({ type: optional(z.string()) }), MAX_OFFERED)),
  tool_choice: optional(
    z.object({
      type: z.enum(["auto", "any", "tool", "none"]),
      name: optional(z.string()),
      disable_parallel_tool_use: optional(z.boolean()),
    }),
  ),
  output_config: optional(z.object({ format: optional(z.object({ type: z.literal("json_schema"), schema })) })),
});
export type MessagesBody = z.infer<typeof request>;

/** @throws ApiError 400 */
export const parseMessages = (body: unknown): MessagesBody => parse(request, body);
/** One by one, so that a complaint says which. @throws ApiError 400 */
export const parseMessage = (value: unknown, path: string): Message => parse(message, value, path);

export const customTool = z.object({
  name: z.string(),
  description: optional(z.string()),
  input_schema: optional(schema),
});
