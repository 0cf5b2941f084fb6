// Which tools a model refuses: it is asked.

import { NEVER_REFUSED } from "../../../mcp/schema.js";
import type { ChatMessage, ChatOptions, Model, RefusedTool, Tool } from "../../index.js";

/** Tools that a model refuses, without reading much of a prompt. */
export async function refusedBy(
  model: Pick<Model, "chat">,
  tools: readonly Tool[],
  { template, signal }: Pick<ChatOptions, "template" | "signal">,
): Promise<readonly RefusedTool[]> {
  const enough = new AbortController();
  const stop = () => enough.abort();
  signal?.addEventListener("abort", stop);
  const messages: ChatMessage[] = [{ role: "user", content: "?" }];
  const options = { tools: [NEVER_REFUSED, ...tools], template, maxTokens: 0, onPrefill: stop, signal: enough.signal };
  const reply = model.chat(messages, options);
  await reply.text().catch(() => {}); // what else is wrong is met again, and told, when the conversation begins
  signal?.removeEventListener("abort", stop);
  return reply.refusedTools;
}
