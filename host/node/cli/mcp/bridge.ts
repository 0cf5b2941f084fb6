// The MCP servers of `serve`, by stdio or HTTP, as handlers of messages that pages and others send it. Each is one connection for all, and
// there are no sessions: a message is answered and forgotten.

import type { Connection } from "../../../mcp/connection.js";
import { safeName } from "../../../mcp/names.js";
import { closeAll, connectAll } from "./connect.js";
import { loadServerSdk, type ServerSdk } from "./sdk.js";
import type { Target } from "./target.js";

declare const ZAGREUS_VERSION: string;

type Handler = (request: Request, body: unknown) => Promise<Response>;

export interface Bridge {
  /** By names that are fit for paths. */
  handlers: Record<string, Handler>;
  close(): Promise<void>;
}

/** Connects with all. @param notice told what servers do by themselves. @throws Error for one that cannot be used; none is left open then */
export async function openBridge(
  targets: readonly Target[],
  signal: AbortSignal,
  notice: (line: string) => void,
): Promise<Bridge> {
  if (targets.length === 0) return { handlers: {}, async close() {} };
  const sdk = await loadServerSdk();
  const listener = { onEnd: notice, onChange() {} };
  const connections = await connectAll(sdk, targets, listener, signal);
  const taken = new Set<string>();
  const handlers = connections.map((connection): [string, Handler] => {
    const name = safeName(connection.label, taken);
    taken.add(name);
    return [name, handlerOf(sdk, connection)];
  });
  return { handlers: Object.fromEntries(handlers), close: () => closeAll(connections) };
}

function handlerOf(sdk: ServerSdk, connection: Connection): Handler {
  return async (request, body) => {
    const server = new sdk.Server(
      { name: connection.label, version: ZAGREUS_VERSION },
      { capabilities: { tools: {} } },
    );
    server.setRequestHandler(sdk.ListToolsRequestSchema, async (_, { signal }) => ({
      tools: (await connection.listed(signal)) as [],
    }));
    server.setRequestHandler(sdk.CallToolRequestSchema, ({ params }) =>
      connection.call(params.name, params.arguments ?? {}, request.signal),
    );
    const transport = new sdk.WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
    await server.connect(transport as Parameters<typeof server.connect>[0]);
    try {
      return await transport.handleRequest(request, { parsedBody: body });
    } finally {
      await server.close();
    }
  };
}
