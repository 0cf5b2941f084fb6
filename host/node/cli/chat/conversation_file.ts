// Conversations as files: {"messages": […]} as OpenAI's API has them, or the array alone.

import { outputPath, writeAtomically } from "../../files/output_file.js";
import type { ChatMessage } from "../../index.js";
import { badFile, readJson } from "../shared/json_file.js";

const ROLES: readonly unknown[] = ["system", "developer", "user", "assistant", "tool"] satisfies ChatMessage["role"][];

/** @throws ZagreusError BAD_JSON for a file that is no conversation; what its messages hold is checked when the model answers them */
export async function readConversation(path: string): Promise<ChatMessage[]> {
  const value = await readJson(path);
  const messages: unknown = Array.isArray(value) ? value : (value as { messages?: unknown } | null)?.messages;
  if (!Array.isArray(messages)) throw badFile(path, "must have an array of messages");
  for (const [i, message] of messages.entries()) {
    if (!ROLES.includes(message?.role))
      throw badFile(path, `messages[${i}] must have a role, one of ${ROLES.join(", ")}`);
  }
  return messages;
}

/** Writes the messages as JSON, whole or not at all. */
export async function writeConversation(path: string, messages: readonly ChatMessage[]): Promise<void> {
  const text = `${JSON.stringify({ messages }, undefined, 2)}\n`;
  await writeAtomically(await outputPath(path), (sink) => sink(Buffer.from(text)));
}
