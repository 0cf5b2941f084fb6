// Asks a model the cases and conversations of the makers' suites, as they ask theirs: greedy, the prompt tokenized as one text.

import type { ChatMessage, GenerateOptions, Model, Tool } from "../../../core/api/api.js";
import { type RenderedChat, renderChat } from "../../../core/chat/render.js";
import { replyFormat } from "../../../core/chat/reply_format.js";
import { finish } from "../../../core/grammar/index.js";
import { strip } from "../python.js";
import type { ToolCase } from "./cases.js";

export interface Answer {
  text: string;
  /** Tokens of the answer, and whether it was cut at the most that there may be. */
  tokens: number;
  cut: boolean;
  seconds: number;
}

export interface Asking {
  /** Whether the prompt begins with bos also where the template writes none, as chat() has it. */
  bos: boolean;
  /** Instead of the model's own, see ChatOptions. */
  template: string | undefined;
  signal: AbortSignal | undefined;
}

/** Categories whose answers may be longer. */
const WORDY = ["obs", "multistep", "notool"];
const GREEDY = { temperature: 0, repetitionPenalty: 1, noRepeatNgram: 0 };
/** Of the makers' conversations. */
const TALK = { temperature: 0, repetitionPenalty: 1.15, noRepeatNgram: 6, maxTokens: 524 };
/** Of Qwen3's template; others do not know it. */
const NO_THINKING = { enable_thinking: false };

/** @param led whether a grammar leads the calls from <tool_call> on, as in chat() */
export async function askCase(
  model: Model,
  { messages, cat }: ToolCase,
  tools: readonly Tool[],
  led: boolean,
  asking: Asking,
): Promise<Answer> {
  const rendered = await render(model, messages, asking, tools);
  const leading = led ? finish(replyFormat({ tools, optional: true, parallel: true }, undefined)).format : undefined;
  const maxTokens = WORDY.includes(cat) ? 320 : 260;
  return complete(model, rendered, { ...GREEDY, maxTokens, responseFormat: leading }, asking);
}

export async function askConversation(
  model: Model,
  messages: readonly ChatMessage[],
  asking: Omit<Asking, "bos">,
): Promise<Answer> {
  const rendered = await render(model, messages, asking);
  return complete(model, rendered, TALK, { ...asking, bos: model.info.tokenizer.addBos });
}

const render = (
  { info }: Model,
  messages: readonly ChatMessage[],
  { template }: Pick<Asking, "template">,
  tools?: readonly Tool[],
) => renderChat(info, messages, { tools, template, templateVariables: NO_THINKING }, async () => {});

async function complete(
  model: Model,
  rendered: RenderedChat,
  options: GenerateOptions,
  { bos, signal }: Pick<Asking, "bos" | "signal">,
): Promise<Answer> {
  const begun = performance.now();
  const tokens = model.tokenize(rendered.text, { special: true, bos: false });
  const first = model.info.tokenizer.bos;
  const prompt = bos && first !== undefined && tokens[0] !== first ? [first, ...tokens] : tokens;
  const completion = model.complete(prompt, { ...options, stop: rendered.stop, signal });
  const text = await completion.text();
  return {
    text: strip(withoutThoughts(text)),
    tokens: completion.tokens.length,
    cut: completion.finishReason !== "stop",
    seconds: (performance.now() - begun) / 1000,
  };
}

/** What Qwen3 thinks is no answer. */
const withoutThoughts = (text: string) => text.replace(/<think>[\s\S]*?<\/think>/g, "").replace(/<think>[\s\S]*$/, "");
