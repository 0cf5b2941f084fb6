// The MCP servers of a conversation, and their tools as tools of the model.

import { printable, printableJson } from "../../../core/api/printable.js";
import type { Connection } from "../../../mcp/connection.js";
import { type Offered, offer, type Permission, resultLimit } from "../../../mcp/offer.js";
import { keepable } from "../../../mcp/schema.js";
import type { ChatOptions, Model, RunnableTool } from "../../index.js";
import { closeAll, connectAll } from "./connect.js";
import { refusedBy } from "./refusals.js";
import type { Sdk } from "./sdk.js";
import type { Target } from "./target.js";

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

export class McpServers {
  readonly #connections: Connection[] = [];
  readonly #watcher: Watcher;
  /** Tools that may be called until the end, as "server tool". */
  readonly #always = new Set<string>();
  #changed = false;

  constructor(watcher: Watcher) {
    this.#watcher = watcher;
  }

  /** Whether a server has said that it has other tools, since they were listed last. */
  get changed(): boolean {
    return this.#changed;
  }

  /** Connects with all at once. @throws Error for one that cannot be used; none is left open then */
  async open(sdk: Sdk, targets: readonly Target[], signal: AbortSignal): Promise<void> {
    const listener = {
      onEnd: (line: string) => this.#watcher.notice(line),
      onChange: () => {
        this.#changed = true;
      },
    };
    this.#connections.push(...(await connectAll(sdk, targets, listener, signal)));
  }

  /**
   * Their tools, under names that are none of `taken`; those whose schema the model cannot keep are left out, and that is said.
   * @throws Error for wanted names that no server has
   */
  async tools(model: Model, { taken, wanted, template, signal }: Offer): Promise<RunnableTool[]> {
    this.#changed = false;
    const names = new Set(taken);
    const limit = resultLimit(model.info.contextLength);
    const offered: Offered[] = [];
    const known: string[] = [];
    for (const connection of this.#connections) {
      const { tools, unusable } = await connection.list(signal);
      const isWanted = ({ name }: { name: string }) => wanted === undefined || wanted.includes(name);
      for (const { name, reason } of unusable.filter(isWanted)) this.#leaveOut(connection.label, name, reason);
      known.push(...tools.map(({ name }) => name), ...unusable.map(({ name }) => name));
      for (const tool of tools.filter(isWanted)) {
        offered.push(offer(connection, tool, names, { limit, allow: (call) => this.#allow(call) }));
      }
    }
    const missing = wanted?.find((name) => !known.includes(name));
    if (missing !== undefined) throw new Error(`no MCP server has a tool "${missing}"; there are ${known.join(", ")}`);
    if (offered.length === 0) return [];
    const { tools, refused } = await keepable(offered, (tools) => refusedBy(model, tools, { template, signal }));
    signal.throwIfAborted();
    for (const { name, error } of refused) {
      const { origin, server } = offered.find((tool) => tool.function.name === name)!;
      this.#leaveOut(server, origin, error.message);
    }
    return tools;
  }

  /** Ends all sessions, and the servers that were started here. */
  async close(): Promise<void> {
    await closeAll(this.#connections);
  }

  #leaveOut(server: string, name: string, reason: string): void {
    this.#watcher.notice(`${server}: the tool ${name} is left out: ${reason}`);
  }

  async #allow({ server, tool, args }: { server: string; tool: string; args: object }): Promise<boolean> {
    const name = `${server} ${tool}`;
    if (this.#always.has(name)) return true;
    const answer = await this.#watcher.allow(
      `${printable(server)} is to run ${printable(tool)}(${printableJson(args)})`,
    );
    if (answer === "always") this.#always.add(name);
    return answer !== "no";
  }
}
