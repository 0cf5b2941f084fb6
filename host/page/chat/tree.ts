// A conversation: a tree of messages, of which one branch is shown. Nothing that was said gets lost by editing or regenerating.

import type { ToolCall } from "../../core/api/api.js";
import type { Ended, Figures } from "../model/backend.js";

/** A message; it is never changed, but replaced. */
export interface Message {
  /** Its place in Conversation.messages. */
  readonly id: number;
  /** What it answers; undefined for what begins a conversation. */
  readonly parent: number | undefined;
  readonly role: "user" | "assistant" | "tool";
  readonly text: string;
  /** Of an assistant. */
  readonly calls?: readonly ToolCall[] | undefined;
  /** Of a tool: the call that it answers, and the tool's name. */
  readonly callId?: string | undefined;
  readonly name?: string | undefined;
  /** Of an assistant: why it ended. Undefined while it is written. */
  readonly ended?: Ended | undefined;
  /** What failed: a code and what the error says. */
  readonly error?: { readonly code: string | undefined; readonly message: string } | undefined;
  readonly figures?: Figures | undefined;
}

export interface Conversation {
  /** In the order in which they were begun. */
  readonly messages: readonly Message[];
  /** The end of the branch that is shown. */
  readonly leaf: number | undefined;
}

export const NOTHING: Conversation = { messages: [], leaf: undefined };

/** The branch that is shown, from its beginning. */
export function branch({ messages, leaf }: Conversation): Message[] {
  const found: Message[] = [];
  for (let id = leaf; id !== undefined; id = messages[id]!.parent) found.unshift(messages[id]!);
  return found;
}

/** The versions of a message, itself among them. */
export const versions = ({ messages }: Conversation, { parent }: Message): Message[] =>
  messages.filter((message) => message.parent === parent);

/** Adds a message behind `parent`, and shows it. */
export function add(
  { messages }: Conversation,
  parent: number | undefined,
  message: Omit<Message, "id" | "parent">,
): Conversation {
  const id = messages.length;
  return { messages: [...messages, { ...message, id, parent }], leaf: id };
}

/** Changes what a message says. */
export function change(conversation: Conversation, id: number, changes: Partial<Omit<Message, "id" | "parent">>) {
  const messages = conversation.messages.with(id, { ...conversation.messages[id]!, ...changes });
  return { ...conversation, messages };
}

/** Shows a version of a message, with what was said last behind it. */
export function show({ messages }: Conversation, id: number): Conversation {
  let leaf = id;
  for (let child = messages[id]; child; child = messages.findLast(({ parent }) => parent === leaf)) leaf = child.id;
  return { messages, leaf };
}

/** What was kept by an earlier page, if it is a conversation. What was being written then has stopped. */
export function revived(kept: unknown): Conversation {
  const { messages, leaf } = (kept ?? {}) as Partial<Conversation>;
  if (!Array.isArray(messages) || !messages.every(isMessage)) return NOTHING;
  if (leaf !== undefined && !messages[leaf]) return NOTHING;
  const ended = (message: Message): Message =>
    message.role === "assistant" && !message.ended ? { ...message, ended: "stopped" } : message;
  return { messages: messages.map(ended), leaf };
}

function isMessage({ id, parent, role, text }: Message, place: number): boolean {
  const hasPlace =
    id === place && (parent === undefined || (Number.isInteger(parent) && parent >= 0 && parent < place));
  return hasPlace && ["user", "assistant", "tool"].includes(role) && typeof text === "string";
}
