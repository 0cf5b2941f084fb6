// A conversation with a model: its messages, its tools, and turns.

import {
  type ChatCompletion,
  type ChatMessage,
  type ChatOptions,
  type Model,
  type PrefillProgress,
  runTools,
  type ToolCall,
  type ToolRun,
} from "../../index.js";
import type { FileTool } from "./tool_file.js";

/** Who takes part in a conversation from outside. */
export interface Partner {
  /** Shows a piece of a reply. */
  show(text: string): void;
  /** Sees how far what the model has to read is read. */
  reading(progress: PrefillProgress): void;
  /** Says something that is no part of the conversation. */
  notice(line: string): void;
  /** The result of a tool that nothing runs; undefined when there is nobody to ask. */
  ask(call: ToolCall): Promise<string | undefined>;
}

type Options = Omit<ChatOptions, "tools">;
type ConversationTurn = Pick<ToolRun, "messages" | "finishReason">;

export class Conversation {
  messages: ChatMessage[] = [];
  tools: FileTool[] = [];
  /** The last reply of the model. */
  last: ChatCompletion | undefined;
  readonly #model: Pick<Model, "chat">;
  readonly #options: Options;
  readonly #maxSteps: number | undefined;

  constructor(model: Model, options: Options, maxSteps?: number) {
    this.#model = {
      chat: (messages, chatOptions) => {
        this.last = model.chat(messages, chatOptions);
        return this.last;
      },
    };
    this.#options = options;
    this.#maxSteps = maxSteps;
  }

  get system(): string | undefined {
    const [first] = this.messages;
    return first?.role === "system" && typeof first.content === "string" ? first.content : undefined;
  }
  set system(content: string) {
    const [first] = this.messages;
    this.messages.splice(0, first?.role === "system" ? 1 : 0, { role: "system", content });
  }

  /** Positions of the context that are taken, as far as is known. */
  get contextUsed(): number {
    const { promptTokens = 0, completionTokens = 0 } = this.last?.usage ?? {};
    return promptTokens + completionTokens;
  }

  /** Forgets all but the system message. */
  reset(): void {
    this.messages = this.messages.slice(0, this.messages[0]?.role === "system" ? 1 : 0);
  }

  /**
   * Runs what every turn begins with, so that the first one is faster.
   * @throws ZagreusError NO_CHAT_TEMPLATE for a base model, and what else would fail at the first turn
   */
  async prepare(partner: Partner, signal: AbortSignal): Promise<void> {
    const messages: ChatMessage[] = [...this.messages, { role: "user", content: "?" }];
    const tools = this.tools.map(({ run: _, ...tool }) => tool);
    const onPrefill = (progress: PrefillProgress) => partner.reading(progress);
    await this.#model.chat(messages, { ...this.#options, tools, maxTokens: 0, onPrefill, signal }).text();
  }

  /** Says `content` and has it answered. A turn that is stopped keeps what was replied; one that fails leaves things as they were. */
  async say(content: string, partner: Partner, signal: AbortSignal): Promise<void> {
    const asked: ChatMessage[] = [...this.messages, { role: "user", content }];
    let reply = "";
    const onPiece = ({ text }: { text: string }) => {
      reply += text;
      partner.show(text);
    };
    const onResult = (call: ToolCall, result: string) => {
      reply = "";
      partner.notice(`[${callText(call)} = ${result}]`);
    };
    try {
      const onPrefill = (progress: PrefillProgress) => partner.reading(progress);
      const options = { ...this.#options, onPrefill, signal };
      const { messages, finishReason } =
        this.tools.length === 0
          ? await answer(this.#model, asked, options, onPiece)
          : await runTools(this.#model, asked, {
              ...options,
              maxSteps: this.#maxSteps,
              tools: this.tools.map((tool) => ({ ...tool, run: tool.run ?? ((_, { call }) => ask(partner, call)) })),
              onPiece,
              onResult,
            });
      this.messages = messages;
      if (finishReason !== "stop") partner.notice(NOTES[finishReason]);
    } catch (error) {
      if (!signal.aborted) throw error;
      if (reply !== "") this.messages = [...asked, { role: "assistant", content: reply }];
      partner.notice("(stopped)");
    }
  }
}

const NOTES = {
  length: "(cut: -n allows more)",
  context: "(cut: the context is full)",
  loop: "(stopped: it went round in a loop)",
  steps: "(stopped: --max-steps allows more)",
};

/** A reply of a model that has no tools. */
async function answer(
  model: Pick<Model, "chat">,
  asked: ChatMessage[],
  options: Options,
  onPiece: (piece: { text: string }) => void,
): Promise<ConversationTurn> {
  let content = "";
  const completion = model.chat(asked, options);
  for await (const piece of completion) {
    content += piece.text;
    onPiece(piece);
  }
  const finishReason = completion.finishReason as ConversationTurn["finishReason"];
  return { messages: [...asked, { role: "assistant", content }], finishReason };
}

async function ask(partner: Partner, call: ToolCall): Promise<string> {
  const result = await partner.ask(call);
  if (result === undefined) throw new Error("no result");
  return result;
}

/** "name(arguments)" */
export const callText = ({ function: { name, arguments: json } }: ToolCall): string => `${name}(${json})`;
