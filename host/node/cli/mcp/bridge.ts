// The MCP servers of `serve`, by stdio or HTTP, as handlers of messages that pages and others send it. Each is one connection for all, and
// there are no sessions: a message is answered and forgotten.

import { Connection } from "../../../mcp/connection.js";
import { safeName } from "../../../mcp/names.js";
import { loadServerSdk, type ServerSdk } from "./sdk.js";
import { type Target, wayTo } from "./target.js";

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
  const opened = await Promise.allSettled(
    targets.map((target) => Connection.open(sdk, wayTo(sdk, target), listener, signal)),
  );
  const connections = opened.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
  const close = async () => {
    await Promise.all(connections.map((connection) => connection.close()));
  };
  for (const result of opened) {
    if (result.status === "fulfilled") continue;
    await close();
    throw result.reason;
  }
  const taken = new Set<string>();
  const handlers = connections.map((connection): [string, Handler] => {
    const name = safeName(connection.label, taken);
    taken.add(name);
    return [name, handlerOf(sdk, connection)];
  });
  return { handlers: Object.fromEntries(handlers), close };
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
