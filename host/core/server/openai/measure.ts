// How many tokens prompts have: rendered and counted, not run.

import type { ChatMessage, ChatOptions } from "../../api/api.js";
import { part } from "../../api/errors.js";
import { checkSignal, Pace } from "../../engine/pace.js";
import type { Call } from "../http/call.js";
import type { Served } from "../served/served.js";

/** Tokens that a template may add to what is said, besides as many again. */
const SURROUNDINGS = 256;

const macrotask = () => new Promise((resolve) => setTimeout(resolve));

/** Tokens of a chat's prompt, also of one that does not fit. @throws ZagreusError as chat() does, but for the length */
export async function chatTokens(
  served: Served,
  messages: readonly ChatMessage[],
  options: ChatOptions,
  signal: AbortSignal,
): Promise<number> {
  const { promptTokens } = await part(import("../../chat/index.js"));
  const pace = new Pace(macrotask, () => checkSignal(signal));
  const model = { info: served.info, tokenize: served.tokenize.bind(served) };
  return (await promptTokens(model, messages, options, () => pace.yield())).length;
}

/**
 * The same, or of a chat that surely fits the tokens of what is said: rendering it may cost, and is done again when it has its place.
 * One is rendered at a time, clients in turn.
 */
export async function aboutChatTokens(
  served: Served,
  messages: readonly ChatMessage[],
  options: ChatOptions,
  { client, signal }: Call,
): Promise<number> {
  const said = JSON.stringify([messages, options.tools]);
  const { length } = await served.tokenize(said, { special: false, bos: false });
  if (2 * length + SURROUNDINGS <= served.info.contextLength) return length;
  const release = await served.measuring.enter(signal, client);
  try {
    return await chatTokens(served, messages, options, signal);
  } finally {
    release();
  }
}

/** Tokens of each of the prompts. */
export async function tokensOf(served: Served, prompts: readonly (string | number[])[]): Promise<number[]> {
  const counts: number[] = [];
  for (const prompt of prompts) {
    counts.push((typeof prompt === "string" ? await served.tokenize(prompt) : prompt).length);
  }
  return counts;
}
