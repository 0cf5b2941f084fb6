// The MCP servers of a conversation, and their tools as tools of the model.

import { printable, printableJson } from "../../../core/api/printable.js";
import type { ChatOptions, Model, RunnableTool } from "../../index.js";
import { Connection, type ServerTool } from "./connection.js";
import { safeName } from "./names.js";
import { cut, resultText } from "./result.js";
import { keepable } from "./schema.js";
import type { Sdk } from "./sdk.js";
import type { Target } from "./target.js";

const MAX_DESCRIPTION = 1024;
/** A result of as many characters as the context has tokens takes a third of it, or less. */
const RESULT = { least: 1000, most: 16_000 };

export type Permission = "yes" | "no" | "always";

/** Who sees what servers do. */
export interface Watcher {
  /** Says something that is no part of the conversation. */
  notice(line: string): void;
  /** Whether a call may be made. */
  allow(question: string): Promise<Permission>;
}

interface Offer {
  /** Names that tools have already. */
  taken: Iterable<string>;
  /** Names at the servers. Default: all tools. */
  wanted: string[] | undefined;
  template: ChatOptions["template"];
  signal: AbortSignal;
}

interface Offered extends RunnableTool {
  /** Its name at the server. */
  origin: string;
  server: string;
}

export class McpServers {
  readonly #connections: Connection[] = [];
  readonly #watcher: Watcher;

  constructor(watcher: Watcher) {
    this.#watcher = watcher;
  }

  /** Connects with all at once. @throws Error for one that cannot be used; then none is left open after close() */
  async open(sdk: Sdk, targets: readonly Target[], signal: AbortSignal): Promise<void> {
    const opened = await Promise.allSettled(
      targets.map((target) => Connection.open(sdk, target, (line) => this.#watcher.notice(line), signal)),
    );
    for (const result of opened) if (result.status === "fulfilled") this.#connections.push(result.value);
    for (const result of opened) if (result.status === "rejected") throw result.reason;
  }

  /**
   * Their tools, under names that are none of `taken`; those whose schema the model cannot keep are left out, and that is said.
   * @throws Error for wanted names that no server has
   */
  async tools(model: Model, { taken, wanted, template, signal }: Offer): Promise<RunnableTool[]> {
    const names = new Set(taken);
    const limit = Math.min(RESULT.most, Math.max(RESULT.least, model.info.contextLength));
    const offered: Offered[] = [];
    const known: string[] = [];
    for (const connection of this.#connections) {
      const { tools, unusable } = await connection.list(signal);
      const isWanted = ({ name }: { name: string }) => wanted === undefined || wanted.includes(name);
      for (const { name, reason } of unusable.filter(isWanted)) this.#leaveOut(connection.label, name, reason);
      known.push(...tools.map(({ name }) => name), ...unusable.map(({ name }) => name));
      for (const tool of tools.filter(isWanted)) {
        const name = safeName(tool.name, names);
        names.add(name);
        offered.push(this.#offer(connection, tool, name, limit));
      }
    }
    const missing = wanted?.find((name) => !known.includes(name));
    if (missing !== undefined) throw new Error(`no MCP server has a tool "${missing}"; there are ${known.join(", ")}`);
    if (offered.length === 0) return [];
    const { tools, refused } = await keepable(model, offered, { template, signal });
    signal.throwIfAborted();
    for (const { name, error } of refused) {
      const { origin, server } = offered.find((tool) => tool.function.name === name)!;
      this.#leaveOut(server, origin, error.message);
    }
    return tools;
  }

  /** Ends all sessions, and the servers that were started here. */
  async close(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.close()));
  }

  #leaveOut(server: string, name: string, reason: string): void {
    this.#watcher.notice(`${server}: the tool ${name} is left out: ${reason}`);
  }

  #offer(
    connection: Connection,
    { name: origin, description, inputSchema }: ServerTool,
    name: string,
    limit: number,
  ): Offered {
    let always = false;
    return {
      type: "function",
      function: { name, description: description && cut(description, MAX_DESCRIPTION), parameters: inputSchema },
      origin,
      server: connection.label,
      run: async (args: Record<string, unknown>, { signal }) => {
        if (!always) {
          const question = `${printable(connection.label)} is to run ${printable(origin)}(${printableJson(args)})`;
          const answer = await this.#watcher.allow(question);
          if (answer === "no") throw new Error("the user does not allow this call");
          always = answer === "always";
        }
        signal?.throwIfAborted();
        return resultText(await connection.call(origin, args, signal), limit);
      },
    };
  }
}
