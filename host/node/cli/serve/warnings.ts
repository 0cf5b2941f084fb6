// What whoever starts a server should know about it.

import { type OffloadedModel, ZagreusError } from "../../index.js";
import { notice } from "../shared/output.js";

interface Doors {
  host: string;
  apiKeys: readonly string[];
  cors: readonly string[] | undefined;
  /** Whether there are tools to call. */
  tools: boolean;
}

/** Who may use the model although nobody may have meant that. */
export function warnOfOpenDoors({ host, apiKeys, cors = [], tools }: Doors): void {
  if (apiKeys.length > 0) return;
  const isPublic = !/^(localhost|127\.[\d.]+|::1)$/i.test(host);
  const uses = tools ? "use the model and the tools of --mcp" : "use the model";
  if (isPublic) notice(`whoever reaches ${host} may ${uses}: --api-key asks for a key`);
  if (cors.includes("*")) notice(`every page that a browser here opens may ${uses}: --api-key asks for a key`);
}

/** Whether a model knows no conversations. It is asked with one, up to where it would begin to read: which also makes the first one fast. */
export async function warnOfNoTemplate(name: string, model: OffloadedModel, template?: string): Promise<void> {
  const controller = new AbortController();
  const options = { template, maxTokens: 0, signal: controller.signal, onPrefill: () => controller.abort() };
  try {
    await model.chat([{ role: "user", content: "?" }], options).text();
  } catch (error) {
    if (!(error instanceof ZagreusError) || error.code !== "NO_CHAT_TEMPLATE") return; // whoever asks is told of any other
    notice(
      `${name} has no chat template: /v1/chat/completions will refuse it, --template chatml or llama3 gives it one`,
    );
  }
}
