// What talks with MCP servers, a script of its own (mcp.js): with the official SDK and the grammar it is larger than the page.

// The first of all; what nobody uses would be left out of the bundle.
export { ZOD } from "./jitless.js";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ResultSchema, ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import type { RefusedTool, Tool } from "../../core/api/api.js";
import { replyFormat } from "../../core/chat/reply_format.js";
import { finishInSlices } from "../../core/grammar/shared/slices.js";
import { Connection, type Listener, type ServerTool, type ToolList } from "../../mcp/connection.js";
import { safeName } from "../../mcp/names.js";
import { keepable, NEVER_REFUSED } from "../../mcp/schema.js";

export { offer, resultLimit } from "../../mcp/offer.js";

const SDK = { Client, ResultSchema, ToolListChangedNotificationSchema };

/** @throws Error that names the server */
export function open(
  url: URL,
  headers: Record<string, string>,
  listener: Listener,
  signal: AbortSignal,
): Promise<Connection> {
  const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers } });
  return Connection.open(SDK, { label: `${url.host}${url.pathname}`, transport }, listener, signal);
}

/** A server's tools that a model can be led to call, each with a schema that can be kept, and the others with the reason. */
export async function usable(connection: Connection, signal: AbortSignal): Promise<ToolList> {
  const { tools, unusable } = await connection.list(signal);
  const taken = new Set<string>();
  const named = tools.map((tool): Tool & { tool: ServerTool } => {
    const name = safeName(tool.name, taken);
    taken.add(name);
    return { type: "function", function: { name, parameters: tool.inputSchema }, tool };
  });
  const kept = await keepable(named, (some) => refusals(some, signal));
  const reasons = kept.refused.map(({ name, error }) => ({
    name: named.find((tool) => tool.function.name === name)!.tool.name,
    reason: ((error as { cause?: Error }).cause ?? error).message,
  }));
  const keptTools = kept.tools.map(({ tool, function: { parameters } }) => ({ ...tool, inputSchema: parameters! }));
  return { tools: keptTools, unusable: [...unusable, ...reasons] };
}

/** What no grammar can be made of; no model is needed to know that. */
async function refusals(tools: readonly Tool[], signal: AbortSignal): Promise<readonly RefusedTool[]> {
  const breathe = () => new Promise<void>((resolve) => setTimeout(resolve));
  const use = { tools: [NEVER_REFUSED, ...tools], optional: true, parallel: true };
  const { refused } = await finishInSlices(replyFormat(use, undefined), async () => {
    await breathe();
    signal.throwIfAborted();
  });
  return refused;
}
