// The body of POST /v1/responses (https://platform.openai.com/docs/api-reference/responses). What is not named here is ignored; the
// extensions are those of chats.

import * as z from "zod";
import { MAX_MESSAGES, MAX_TOOLS } from "../../chat/check.js";
import { isShort, list, optional, parse, refused, schema, TOO_LONG } from "../openai/fields.js";
import { shared } from "../openai/schemas.js";

const MAX_ID = 128;
/** Of any type: only functions count as tools. */
const MAX_OFFERED = 512;
const MAX_INCLUDED = 64;

const id = z.string().min(1).max(MAX_ID);
const { model, stream, temperature, top_p, top_k, min_p, seed, stop, logit_bias, loop_stop, cache_salt } = shared;
const { repetition_penalty, frequency_penalty, presence_penalty, dry_multiplier, dry_base } = shared;
const { dry_allowed_length, dry_penalty_last_n, dry_sequence_breakers, grammar } = shared;
const chat = {
  ...{ model, stream, temperature, top_p, top_k, min_p, seed, stop, logit_bias, loop_stop, cache_salt, grammar },
  ...{ repetition_penalty, frequency_penalty, presence_penalty, dry_multiplier, dry_base, dry_allowed_length },
  ...{ dry_penalty_last_n, dry_sequence_breakers },
};

const format = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text") }),
  z.object({ type: z.literal("json_object") }),
  z.object({
    type: z.literal("json_schema"),
    name: optional(z.string()),
    description: optional(z.string()),
    schema,
    strict: optional(z.boolean()),
  }),
]);

const request = z.object({
  ...chat,
  input: z.union([z.string(), list(z.unknown(), MAX_MESSAGES)], { error: "must be a string or a list of items" }),
  instructions: optional(z.string()),
  previous_response_id: optional(id),
  max_output_tokens: optional(z.int().min(1)),
  tools: optional(list(z.looseObject({ type: z.string() }), MAX_OFFERED)),
  tool_choice: optional(z.unknown()),
  parallel_tool_calls: optional(z.boolean()),
  text: optional(z.object({ format: optional(format) })),
  include: optional(list(z.string(), MAX_INCLUDED)),
  top_logprobs: optional(z.int().min(0).max(20)),
  truncation: optional(z.enum(["auto", "disabled"])),
  store: optional(z.boolean()),
  metadata: optional(z.looseObject({})),
  background: refused("is not supported", false),
  conversation: refused("is not supported; use previous_response_id"),
  prompt: refused("is not supported: there are no stored prompts"),
});
export type ResponsesBody = z.infer<typeof request>;

/** @throws ApiError 400 */
export const parseResponses = (body: unknown): ResponsesBody => parse(request, body);

const text = z.discriminatedUnion(
  "type",
  [
    z.object({ type: z.enum(["input_text", "output_text", "text"]), text: z.string() }),
    z.object({ type: z.literal("refusal"), refusal: z.string() }).transform(({ refusal: text }) => ({ text })),
  ],
  { error: "must be a text; images, audio and files are not understood" },
);
const content = z.union([z.string(), list(text, MAX_MESSAGES)], {
  error: "must be a string or a list of texts; images, audio and files are not understood",
});
/** What a tool gives may be more than text; the model is told what it is not shown. */
const output = z.union([z.string(), list(z.looseObject({ type: z.string() }), MAX_MESSAGES)], {
  error: "must be a string or a list of parts",
});

/** Items of the input, by type. */
export const items = {
  message: z.object({
    role: z.enum(["system", "developer", "user", "assistant"]),
    content: optional(content),
  }),
  function_call: z.object({ call_id: id, name: z.string(), arguments: optional(z.string()) }),
  function_call_output: z.object({ call_id: id, output }),
  item_reference: z.object({ id }),
};

/** A function that may be called. */
export const functionTool = z.object({
  type: z.literal("function"),
  name: z.string(),
  description: optional(z.string()),
  parameters: optional(schema),
});
export const functionTools = z.array(functionTool).max(MAX_TOOLS).refine(isShort, TOO_LONG);

export const toolChoice = z.union(
  [
    z.enum(["auto", "none", "required"]),
    z.object({ type: z.literal("function"), name: z.string() }),
    z.object({
      type: z.literal("allowed_tools"),
      mode: z.enum(["auto", "required"]),
      tools: list(z.looseObject({ type: z.string(), name: optional(z.string()) }), MAX_OFFERED),
    }),
  ],
  {
    error:
      'must be "auto", "none", "required", {"type": "function", "name": …} or {"type": "allowed_tools", "mode": …, "tools": […]}; there are no other tools than functions',
  },
);
