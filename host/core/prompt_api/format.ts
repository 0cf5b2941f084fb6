// Messages as the model's chat template writes them, and what they cost.
//
// A prompt is a preamble (what the template writes anyway: a beginning, tools, a default system message, whose answer comes next), and the
// messages, each of which costs the same wherever it stands: the tokens of its text, and those that the template puts around a message of
// its role. So a session's usage is the sum of what its messages were measured to be.

import type { ChatMessage, Tool } from "../api/api.js";
import { withBegun } from "../chat/begun.js";
import { encodeChat, renderChat } from "../chat/render.js";
import type { ClassOptions, PromptModel } from "./api/types.js";
import { type Message, toChat } from "./input/messages.js";
import { codeOf } from "./web/errors.js";

type TemplateOptions = Pick<ClassOptions, "template" | "templateVariables">;
type Chat = readonly ChatMessage[];

/** A text that is a token or two. */
const SAMPLE = "a";
/** Around a message that the template does not write alone. */
const USUAL = 8;

const user: ChatMessage = { role: "user", content: SAMPLE };
const assistant: ChatMessage = { role: "assistant", content: SAMPLE };
const system: ChatMessage = { role: "system", content: SAMPLE };

export class ChatFormat {
  readonly #model: PromptModel;
  readonly #options: TemplateOptions;
  readonly #tools: readonly Tool[];
  readonly #around = { user: USUAL, assistant: USUAL, system: USUAL };
  /** Tokens that every prompt has beside its messages. */
  preamble = 0;

  private constructor(model: PromptModel, options: TemplateOptions, tools: readonly Tool[]) {
    this.#model = model;
    this.#options = options;
    this.#tools = tools.map(({ type, function: declared }) => ({ type, function: declared }));
  }

  /** @throws ZagreusError NO_CHAT_TEMPLATE, BAD_TEMPLATE, INVALID_OPTION */
  static async of(model: PromptModel, options: TemplateOptions, tools: readonly Tool[]): Promise<ChatFormat> {
    const format = new ChatFormat(model, options, tools);
    await format.#gauge();
    return format;
  }

  /** Tokens that messages take. */
  async measure(messages: readonly Message[]): Promise<number> {
    let tokens = 0;
    for (const { role, content, tool_calls = [] } of toChat(messages)) {
      tokens += role === "tool" ? this.#around.user + USUAL : this.#around[role as Message["role"]];
      tokens += await this.#count(content as string);
      for (const { function: call } of tool_calls) tokens += USUAL + (await this.#count(call.name + call.arguments));
    }
    return tokens;
  }

  /**
   * The prompt of an answer, and the ends of a turn that are no token.
   * @param prefix what the answer begins with
   * @param mayCall whether the tools are shown
   */
  async prompt(
    messages: readonly Message[],
    prefix = "",
    mayCall = true,
  ): Promise<{ tokens: number[]; stop: string[] }> {
    const chat = toChat(messages);
    try {
      return await this.#render(chat, prefix, mayCall);
    } catch (error) {
      const refused = ["INVALID_OPTION", "BAD_TEMPLATE"].includes(codeOf(error) ?? "");
      const merged = merge(chat);
      if (!refused || merged.length === chat.length) throw error;
      return this.#render(merged, prefix, mayCall);
    }
  }

  async #render(chat: Chat, prefix: string, mayCall: boolean, tools = this.#tools) {
    const toolChoice = mayCall ? undefined : ("none" as const);
    const options = { ...this.#options, ...(tools.length > 0 && { tools, toolChoice }) };
    const rendered = withBegun(await renderChat(this.#model.info, chat, options, async () => {}), prefix);
    return { tokens: await encodeChat(this.#model, rendered), stop: rendered.stop };
  }

  async #gauge(): Promise<void> {
    const length = async (chat: Chat, tools?: readonly Tool[]) =>
      (await this.#render(chat, "", true, tools)).tokens.length;
    const more = async (chat: Chat, than: number, otherwise: number) =>
      length(chat, []).then(
        (tokens) => Math.max(tokens - than - sample, 0),
        () => otherwise,
      );
    const sample = await this.#count(SAMPLE);
    const one = await length([user], []);
    const around = this.#around;
    around.assistant = await more([user, assistant], one, USUAL);
    around.user = Math.max(await more([user, assistant, user], one + around.assistant + sample, USUAL), 1);
    around.system = await more([system, user], one, 2);
    const whole = this.#tools.length > 0 ? await length([user]) : one;
    this.preamble = Math.max(whole - around.user - sample, 0);
  }

  async #count(text: string | null): Promise<number> {
    if (!text) return 0;
    return (await this.#model.tokenize(text, { bos: false, continues: true })).length;
  }
}

/** For templates that want turns: a system message goes into the one behind it, and neighbours of a role are one. */
function merge(chat: Chat): ChatMessage[] {
  const merged: ChatMessage[] = [];
  for (const message of chat) {
    const last = merged.at(-1);
    const joins = last && (last.role === message.role || last.role === "system");
    if (joins && !last.tool_calls && !message.tool_calls && message.role !== "tool") {
      merged[merged.length - 1] = { role: message.role, content: `${last.content}\n\n${message.content}` };
    } else merged.push(message);
  }
  return merged;
}
