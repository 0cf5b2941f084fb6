// A message as it comes to be: its blocks, and the events that tell of them, in Anthropic's order.
//
//     message_start, { content_block_start, content_block_delta ..., content_block_stop } ..., message_delta, message_stop

import type { ToolCallDelta } from "../../api/api.js";
import type { ApiUsage } from "../../stream/openai.js";

type TextBlock = { type: "text"; text: string };
type ToolBlock = { type: "tool_use"; id: string; name: string; input: object };
export type StopReason = "end_turn" | "max_tokens" | "stop_sequence" | "tool_use";

export interface ApiMessage {
  id: string;
  type: "message";
  role: "assistant";
  model: string;
  content: (TextBlock | ToolBlock)[];
  stop_reason: StopReason | null;
  stop_sequence: string | null;
  usage: object;
}
export interface MessageEvent {
  type: string;
  [field: string]: unknown;
}

export class MessageWriter {
  readonly message: ApiMessage;
  /** The block that is being written, and the text of its input. */
  #open: TextBlock | ToolBlock | undefined;
  #input = "";

  constructor(model: string) {
    const id = `msg_${crypto.randomUUID().replaceAll("-", "")}`;
    const said = { content: [], stop_reason: null, stop_sequence: null };
    this.message = { id, type: "message", role: "assistant", model, ...said, usage: {} };
  }

  /** @param total tokens of the prompt, `cached` of them found in the cache */
  *begin(total: number, cached: number): Generator<MessageEvent> {
    this.message.usage = usage(total, cached, 0);
    yield { type: "message_start", message: structuredClone(this.message) };
  }

  *text(text: string): Generator<MessageEvent> {
    let block = this.#open;
    if (block?.type !== "text") {
      block = { type: "text", text: "" };
      yield* this.#start(block);
    }
    block.text += text;
    yield this.#delta({ type: "text_delta", text });
  }

  *call({ id, function: { name, arguments: more } }: ToolCallDelta): Generator<MessageEvent> {
    if (id !== undefined) yield* this.#start({ type: "tool_use", id, name: name ?? "", input: {} });
    if (this.#open?.type !== "tool_use" || more === "") return;
    this.#input += more;
    yield this.#delta({ type: "input_json_delta", partial_json: more });
  }

  *end(stop_reason: StopReason, stop_sequence: string | null, sum: ApiUsage): Generator<MessageEvent> {
    yield* this.#stop();
    const { prompt_tokens, prompt_tokens_details, completion_tokens } = sum;
    const used = usage(prompt_tokens, prompt_tokens_details.cached_tokens, completion_tokens);
    Object.assign(this.message, { stop_reason, stop_sequence, usage: used });
    yield { type: "message_delta", delta: { stop_reason, stop_sequence }, usage: used };
    yield { type: "message_stop" };
  }

  *#start(block: TextBlock | ToolBlock): Generator<MessageEvent> {
    yield* this.#stop();
    this.#open = block;
    this.#input = "";
    const index = this.message.content.push(block) - 1;
    yield { type: "content_block_start", index, content_block: structuredClone(block) };
  }

  *#stop(): Generator<MessageEvent> {
    const block = this.#open;
    if (!block) return;
    this.#open = undefined;
    if (block.type === "tool_use" && this.#input) block.input = JSON.parse(this.#input);
    yield { type: "content_block_stop", index: this.message.content.length - 1 };
  }

  #delta(delta: object): MessageEvent {
    return { type: "content_block_delta", index: this.message.content.length - 1, delta };
  }
}

/** Anthropic counts cached tokens apart. */
function usage(total: number, cached: number, output_tokens: number): object {
  const read = { cache_creation_input_tokens: 0, cache_read_input_tokens: cached };
  return { input_tokens: total - cached, ...read, output_tokens };
}
