// A response as it comes to be: its items, and the events that tell of them, in OpenAI's order.
//
//     response.created, response.in_progress
//       output_item.added
//         content_part.added, output_text.delta ..., output_text.done, content_part.done     of a message
//         function_call_arguments.delta ..., function_call_arguments.done                    of a call
//       output_item.done
//     response.completed | response.incomplete | response.failed

import type { ToolCallDelta } from "../../api/api.js";
import type { ContentLogprob } from "../openai/chat.js";

export interface ApiEvent {
  type: string;
  sequence_number: number;
  [field: string]: unknown;
}

interface TextPart {
  type: "output_text";
  text: string;
  annotations: never[];
  logprobs: ContentLogprob[];
}
type Status = "in_progress" | "completed" | "incomplete" | "failed";
interface MessageItem {
  id: string;
  type: "message";
  status: Status;
  role: "assistant";
  content: TextPart[];
}
interface CallItem {
  id: string;
  type: "function_call";
  status: Status;
  call_id: string;
  name: string;
  arguments: string;
}
export type OutputItem = MessageItem | CallItem;

/** What a response begins with, and what comes to it. */
export interface ApiResponse {
  id: string;
  status: Status;
  output: OutputItem[];
  error: { code: string; message: string } | null;
  incomplete_details: { reason: "max_output_tokens" } | null;
  usage: object | null;
  previous_response_id: string | null;
  [field: string]: unknown;
}

export const newId = (prefix: string) => `${prefix}_${crypto.randomUUID().replaceAll("-", "")}`;

export class ResponseWriter {
  readonly response: ApiResponse;
  #sequence = 0;
  /** The item that is being written. */
  #open: OutputItem | undefined;

  constructor(response: ApiResponse) {
    this.response = response;
  }

  *begin(): Generator<ApiEvent> {
    yield this.#whole("response.created");
    yield this.#whole("response.in_progress");
  }

  *text(delta: string, logprobs: ContentLogprob[]): Generator<ApiEvent> {
    const message = this.#open?.type === "message" ? this.#open : yield* this.#openMessage();
    const [part] = message.content as [TextPart];
    part.text += delta;
    part.logprobs.push(...logprobs);
    yield this.#event("response.output_text.delta", { ...this.#at(message), content_index: 0, delta, logprobs });
  }

  /** What is new of a call. */
  *call({ id, function: { name, arguments: delta } }: ToolCallDelta): Generator<ApiEvent> {
    if (id !== undefined) {
      yield* this.#close("completed");
      const [item_id, status] = [newId("fc"), "in_progress" as const];
      const item: CallItem = {
        id: item_id,
        type: "function_call",
        status,
        call_id: id,
        name: name ?? "",
        arguments: "",
      };
      yield this.#add(item);
    }
    if (this.#open?.type !== "function_call" || delta === "") return;
    this.#open.arguments += delta;
    yield this.#event("response.function_call_arguments.delta", { ...this.#at(this.#open), delta });
  }

  /** @param isCut whether tokens ran out */
  *end(isCut: boolean, usage: object): Generator<ApiEvent> {
    const { response } = this;
    if (response.output.length === 0) yield* this.#openMessage(); // of nothing, which clients look for
    const status = isCut ? "incomplete" : "completed";
    yield* this.#close(status);
    Object.assign(response, { status, usage });
    if (isCut) response.incomplete_details = { reason: "max_output_tokens" };
    yield this.#whole(`response.${status}`);
  }

  *fail(code: string, message: string): Generator<ApiEvent> {
    if (this.#sequence === 0) yield* this.begin();
    Object.assign(this.response, { status: "failed", error: { code, message } });
    yield this.#whole("response.failed");
  }

  *#openMessage(): Generator<ApiEvent, MessageItem> {
    yield* this.#close("completed");
    const item: MessageItem = {
      id: newId("msg"),
      type: "message",
      status: "in_progress",
      role: "assistant",
      content: [],
    };
    yield this.#add(item);
    const part: TextPart = { type: "output_text", text: "", annotations: [], logprobs: [] };
    yield this.#event("response.content_part.added", {
      ...this.#at(item),
      content_index: 0,
      part: structuredClone(part),
    });
    item.content.push(part);
    return item;
  }

  #add(item: OutputItem): ApiEvent {
    this.#open = item;
    this.response.output.push(item);
    const { output_index } = this.#at(item);
    return this.#event("response.output_item.added", { output_index, item: structuredClone(item) });
  }

  *#close(status: Status): Generator<ApiEvent> {
    const item = this.#open;
    if (!item) return;
    this.#open = undefined;
    item.status = status;
    const at = this.#at(item);
    if (item.type === "message") {
      const [part] = item.content as [TextPart];
      const { text, logprobs } = part;
      yield this.#event("response.output_text.done", { ...at, content_index: 0, text, logprobs });
      yield this.#event("response.content_part.done", { ...at, content_index: 0, part });
    } else {
      const { name, arguments: given } = item;
      yield this.#event("response.function_call_arguments.done", { ...at, name, arguments: given });
    }
    yield this.#event("response.output_item.done", { output_index: at.output_index, item });
  }

  #at({ id: item_id }: OutputItem) {
    return { item_id, output_index: this.response.output.length - 1 };
  }

  #whole(type: string): ApiEvent {
    return this.#event(type, { response: structuredClone(this.response) });
  }

  #event(type: string, fields: object): ApiEvent {
    return { type, sequence_number: this.#sequence++, ...fields };
  }
}
