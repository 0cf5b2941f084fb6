// The conversations that the browser keeps, each under a name of its own beside a list of all.

import { keep, kept } from "./kept.js";
import { branch, type Conversation, revived } from "./tree.js";

export interface KeptChat {
  id: string;
  name: string;
  /** When it was kept last, in milliseconds. */
  at: number;
}

const LONGEST_NAME = 60;
const LIST = "chats";
const place = (id: string) => `chat ${id}`;

export const freshId = () => Date.now().toString(36) + Math.random().toString(36).slice(2, 8);

/** All of them, the newest first. */
export function keptChats(): readonly KeptChat[] {
  const list = kept(LIST);
  return Array.isArray(list) ? list.filter(isKept) : [];
}

export const readChat = (id: string): Conversation => revived(kept(place(id)));

/** Keeps a conversation, named by what was asked first unless it has a name. Returns whether there was room. */
export function keepChat(id: string, conversation: Conversation): boolean {
  const all = keptChats();
  const name = all.find((chat) => chat.id === id)?.name || nameOf(conversation);
  if (!keep(place(id), conversation)) return false;
  return keep(LIST, [{ id, name, at: Date.now() }, ...all.filter((chat) => chat.id !== id)]);
}

/** Names a conversation; without a name it is named by what was asked first. */
export function renameChat(id: string, name: string): void {
  const named = name.trim().slice(0, LONGEST_NAME) || nameOf(readChat(id));
  const list = keptChats();
  keep(
    LIST,
    list.map((chat) => (chat.id === id ? { ...chat, name: named } : chat)),
  );
}

export function forgetChat(id: string): void {
  keep(place(id), undefined);
  keep(
    LIST,
    keptChats().filter((chat) => chat.id !== id),
  );
}

function nameOf(conversation: Conversation): string {
  const text = branch(conversation)[0]?.text.trim().replace(/\s+/g, " ") ?? "";
  return text.length > LONGEST_NAME ? `${text.slice(0, LONGEST_NAME - 1)}…` : text;
}

function isKept(chat: unknown): chat is KeptChat {
  const { id, name, at } = (chat ?? {}) as Partial<KeptChat>;
  return typeof id === "string" && typeof name === "string" && typeof at === "number";
}
