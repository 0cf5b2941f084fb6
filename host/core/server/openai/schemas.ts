// Bodies of requests, as OpenAI's API reference has them (https://platform.openai.com/docs/api-reference). Fields that are not named
// here are ignored, null is a field that is not there. Extensions: top_k, min_p, repetition_penalty, dry_…, grammar, json_schema, format,
// guided_json, loop_stop, cache_salt, return_progress, receipt.

import * as z from "zod";
import { MAX_MESSAGES, MAX_TOOLS } from "../../chat/check.js";
import { badRequest } from "../http/errors.js";
import { isShort, list, MAX_STRUCTURE, optional, parse, refused, schema, TOO_LONG } from "./fields.js";
import { penalties } from "./penalties.js";

const MAX_CHOICES = 16;
const MAX_STOPS = 16;
/** Tokens of a text to put together. */
const MAX_TOKENS = 2 ** 20;
/** Prompts of one request, as OpenAI's limit for embeddings. */
const MAX_INPUTS = 2048;
/** Characters. */
const MAX_SALT = 256;

const otherFormat = refused("is not supported; use response_format or grammar");
const noSchema = refused('is understood with "json_schema" or "json_object" only');

/** Of requests for text. */
export const shared = {
  model: optional(z.string()),
  stream: optional(z.boolean()),
  stream_options: optional(z.object({ include_usage: optional(z.boolean()) })),
  return_progress: optional(z.boolean()),
  n: optional(z.int().min(1).max(MAX_CHOICES)),
  temperature: optional(z.number().min(0).max(2)),
  top_p: optional(z.number().min(0).max(1)),
  top_k: optional(z.int().min(0)),
  min_p: optional(z.number().min(0).max(1)),
  ...penalties,
  seed: optional(z.int()),
  stop: optional(z.union([z.string().min(1), list(z.string().min(1), MAX_STOPS)])),
  logit_bias: optional(
    z.custom<Record<string, number>>(
      (value) =>
        typeof value === "object" &&
        value !== null &&
        !Array.isArray(value) &&
        Object.values(value).every((bias) => typeof bias === "number" && Math.abs(bias) <= 100),
      "must be an object of token ids with numbers from -100 to 100",
    ),
  ),
  loop_stop: optional(z.boolean()),
  receipt: optional(z.boolean()),
  cache_salt: optional(z.string().min(1).max(MAX_SALT)),
  grammar: optional(z.string().max(MAX_STRUCTURE)),
  response_format: optional(
    z.discriminatedUnion("type", [
      z.object({ type: z.literal("text"), schema: noSchema, json_schema: noSchema }),
      z.object({ type: z.literal("json_object"), schema: optional(schema), json_schema: noSchema }),
      z
        .object({
          type: z.literal("json_schema"),
          json_schema: optional(z.object({ schema })),
          schema: optional(schema),
        })
        .refine(({ json_schema, schema }) => (json_schema === undefined) !== (schema === undefined), {
          path: ["json_schema"],
          message: "or schema must be given, not both",
        }),
    ]),
  ),
  // What others call it: llama.cpp, Ollama and vLLM.
  json_schema: optional(schema),
  format: optional(z.union([z.literal("json"), z.literal("").transform(() => undefined), schema])),
  guided_json: optional(schema),
  guided_regex: otherFormat,
  guided_choice: otherFormat,
  guided_grammar: otherFormat,
  structured_outputs: otherFormat,
  response_schema: otherFormat,
  regex: otherFormat,
  ebnf: otherFormat,
};

const text = z.union([z.string(), list(z.object({ type: z.literal("text"), text: z.string() }), MAX_MESSAGES)], {
  error: "must be a string or a list of text parts; images, audio and files are not understood",
});

const toolCall = z.object({
  id: z.string(),
  type: z.literal("function"),
  function: z.object({ name: z.string(), arguments: z.string() }),
});

const message = z.discriminatedUnion("role", [
  z.object({ role: z.enum(["system", "developer", "user"]), content: text, name: optional(z.string()) }),
  z.object({
    role: z.literal("assistant"),
    content: optional(text),
    name: optional(z.string()),
    tool_calls: optional(list(toolCall, MAX_TOOLS)),
    function_call: refused("is not supported; use tool_calls"),
  }),
  z.object({ role: z.literal("tool"), content: text, tool_call_id: z.string(), name: optional(z.string()) }),
]);

const tool = z.object({
  type: z.literal("function"),
  function: z.object({
    name: z.string(),
    description: optional(z.string()),
    parameters: optional(schema),
    input_schema: refused("is not supported; use parameters"),
    inputSchema: refused("is not supported; use parameters"),
  }),
});

const chatRequest = z.object({
  ...shared,
  messages: list(message, MAX_MESSAGES, 1),
  max_tokens: optional(z.int().min(1)),
  max_completion_tokens: optional(z.int().min(1)),
  logprobs: optional(z.boolean()),
  top_logprobs: optional(z.int().min(0).max(20)),
  tools: optional(list(tool, MAX_TOOLS).refine(isShort, TOO_LONG)),
  tool_choice: optional(
    z.union(
      [
        z.enum(["auto", "none", "required"]),
        z.object({ type: z.literal("function"), function: z.object({ name: z.string() }) }),
      ],
      { error: 'must be "auto", "none", "required" or {"type": "function", "function": {"name": …}}' },
    ),
  ),
  parallel_tool_calls: optional(z.boolean()),
  continue_final_message: optional(z.boolean()),
  functions: refused("is not supported; use tools"),
  function_call: refused("is not supported; use tool_choice"),
  audio: refused("is not supported"),
  modalities: optional(list(z.literal("text"), 1)),
  web_search_options: refused("is not supported"),
});

/** One text, or the ids of its tokens, or several; textsOf() tells which. */
const texts = z.custom<string | string[] | number[] | number[][]>((value) => {
  if (typeof value === "string" || isTokens(value)) return true;
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_INPUTS) return false;
  return value.every((item) => typeof item === "string") || value.every(isTokens);
}, `must be a string, a list of token ids, or a list of 1 to ${MAX_INPUTS} of either`);

const completionRequest = z.object({
  ...shared,
  prompt: texts,
  max_tokens: optional(z.int().min(0)),
  logprobs: optional(z.int().min(0).max(20)),
  echo: optional(z.boolean()),
  suffix: refused("is not supported", ""),
  best_of: refused("is not supported, must be 1", 1),
});

const isText = (value: unknown) => typeof value === "string" || (Array.isArray(value) && typeof value[0] === "string");
const NO_IDS =
  "must be a text or a list of texts, not of token ids, which clients send of another model's tokens; " +
  "LangChain's OpenAIEmbeddings sends texts with check_embedding_ctx_length=False";

const embeddingRequest = z.object({
  model: shared.model,
  input: texts.refine(isText, NO_IDS),
  cache_salt: shared.cache_salt,
  encoding_format: optional(z.enum(["float", "base64"])),
  dimensions: refused("is not supported"),
});

const ids = list(z.int(), MAX_TOKENS);

const tokenizeRequest = z
  .object({
    model: shared.model,
    content: optional(z.string()),
    prompt: optional(z.string()), // vLLM's name
    add_special: optional(z.boolean()),
    parse_special: optional(z.boolean()),
    with_pieces: optional(z.boolean()),
  })
  .refine(({ content, prompt }) => content !== undefined || prompt !== undefined, {
    path: ["content"],
    message: "must be a string",
  });
const detokenizeRequest = z.object({ model: shared.model, tokens: ids });

export type ChatBody = z.infer<typeof chatRequest>;
export type CompletionBody = z.infer<typeof completionRequest>;
export type EmbeddingBody = z.infer<typeof embeddingRequest>;
export type TokenizeBody = z.infer<typeof tokenizeRequest>;
export type DetokenizeBody = z.infer<typeof detokenizeRequest>;
/** What requests for text have in common. */
export type TextBody = Omit<ChatBody | CompletionBody, "logprobs">;

export const parseChat = (body: unknown): ChatBody => parse(chatRequest, body);
export const parseCompletion = (body: unknown): CompletionBody => parse(completionRequest, body);
export const parseEmbedding = (body: unknown): EmbeddingBody => parse(embeddingRequest, body);
export const parseTokenize = (body: unknown): TokenizeBody => parse(tokenizeRequest, body);
export const parseDetokenize = (body: unknown): DetokenizeBody => parse(detokenizeRequest, body);

/**
 * The single texts of a prompt or input.
 * @throws ApiError 400 for a token outside the vocabulary
 */
export function textsOf(
  param: string,
  value: string | readonly (string | number | number[])[],
  vocabulary: number,
): (string | number[])[] {
  const single = typeof value === "string" || isTokens(value);
  const texts = single ? [value] : (value as (string | number[])[]);
  texts.forEach((text, i) => {
    if (typeof text !== "string") checkIds(`${param}${single ? "" : `[${i}]`}`, text, vocabulary);
  });
  return texts;
}

/** @throws ApiError 400 for a token outside the vocabulary */
export function checkIds(path: string, ids: readonly number[], vocabulary: number): void {
  const at = ids.findIndex((token) => token < 0 || token >= vocabulary);
  if (at === -1) return;
  const own = `${path}[${at}]`;
  throw badRequest(`${own} is ${ids[at]}, must be a token id from 0 to ${vocabulary - 1}`, own);
}

function isTokens(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((token) => Number.isInteger(token));
}
