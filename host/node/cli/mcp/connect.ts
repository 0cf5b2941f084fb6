// All MCP servers of a command, or none.

import { Connection, type Listener } from "../../../mcp/connection.js";
import type { Sdk } from "./sdk.js";
import { type Target, wayTo } from "./target.js";

/** Connects with all at once. @throws Error for one that cannot be used; none is left open then */
export async function connectAll(
  sdk: Sdk,
  targets: readonly Target[],
  listener: Listener,
  signal: AbortSignal,
): Promise<Connection[]> {
  const opened = await Promise.allSettled(
    targets.map((target) => Connection.open(sdk, wayTo(sdk, target), listener, signal)),
  );
  const connections = opened.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
  const failed = opened.find((result) => result.status === "rejected");
  if (!failed) return connections;
  await closeAll(connections);
  throw failed.reason;
}

export async function closeAll(connections: readonly Connection[]): Promise<void> {
  await Promise.all(connections.map((connection) => connection.close()));
}
