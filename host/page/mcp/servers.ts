// The MCP servers that somebody has connected the page with, and their tools.

import type { Connection, ServerTool, ToolList } from "../../mcp/connection.js";
import type { Offered, Permission, WantedCall } from "../../mcp/offer.js";

type Bundle = typeof import("./bundle.js");

const BUNDLE = new URL("./mcp.js", import.meta.url).href;
const load = (): Promise<Bundle> => import(BUNDLE);

/** A server as it is shown. */
export interface ServerState extends ToolList {
  url: string;
  status: "connecting" | "ready" | "failed";
  /** Why it failed. */
  error: string | undefined;
}

interface Handlers {
  onChange(servers: readonly ServerState[]): void;
  /** Asks whether a call may be made. */
  ask(call: WantedCall, signal: AbortSignal | undefined): Promise<Permission>;
}

interface Entry {
  state: ServerState;
  closing: AbortController;
  connection: Connection | undefined;
  /** Fulfilled when it is known how it went. */
  settled: Promise<void>;
}

export interface Wanted {
  /** Names that other tools have. */
  taken: Iterable<string>;
  isOn(url: string, tool: string): boolean;
  contextLength: number;
}

export class McpServers {
  readonly #entries = new Map<string, Entry>();
  readonly #handlers: Handlers;
  readonly #load: () => Promise<Bundle>;
  /** Tools that may be called as long as the page is open, as "URL tool". */
  readonly #always = new Set<string>();

  constructor(handlers: Handlers, loadBundle = load) {
    this.#handlers = handlers;
    this.#load = loadBundle;
  }

  /** Connects, anew where there is a connection. How it went is in the state. */
  connect(url: string, headers: Record<string, string>): Promise<void> {
    void this.#entries.get(url)?.connection?.close();
    this.#entries.get(url)?.closing.abort();
    const state: ServerState = { url, status: "connecting", error: undefined, tools: [], unusable: [] };
    const entry: Entry = { state, closing: new AbortController(), connection: undefined, settled: Promise.resolve() };
    this.#entries.set(url, entry);
    this.#tell();
    entry.settled = this.#open(entry, headers);
    return entry.settled;
  }

  remove(url: string): void {
    const entry = this.#entries.get(url);
    this.#entries.delete(url);
    entry?.closing.abort();
    void entry?.connection?.close();
    for (const name of this.#always) if (name.startsWith(`${url} `)) this.#always.delete(name);
    this.#tell();
  }

  /** The tools of all servers, when those that are being connected have come or failed. */
  async offered({ taken, isOn, contextLength }: Wanted, signal: AbortSignal): Promise<Offered[]> {
    if (this.#entries.size === 0) return [];
    const stopped = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    await Promise.race([Promise.all([...this.#entries.values()].map(({ settled }) => settled)), stopped]);
    signal.throwIfAborted();
    const { offer, resultLimit } = await this.#load();
    const limit = resultLimit(contextLength);
    const names = new Set(taken);
    return [...this.#entries.values()].flatMap((entry) =>
      entry.state.tools
        .filter(({ name }) => isOn(entry.state.url, name))
        .map((tool: ServerTool) => {
          const allow = (call: WantedCall, signal: AbortSignal | undefined) => this.#allow(entry, call, signal);
          return offer(this.#caller(entry), tool, names, { limit, allow });
        }),
    );
  }

  async #open(entry: Entry, headers: Record<string, string>): Promise<void> {
    const { signal } = entry.closing;
    try {
      const { open } = await this.#load();
      signal.throwIfAborted();
      const listener = {
        onEnd: (error: string) => this.#set(entry, { status: "failed", error, tools: [] }),
        onChange: () => {
          entry.settled = this.#list(entry);
        },
      };
      entry.connection = await open(new URL(entry.state.url), headers, listener, signal);
    } catch (error) {
      return this.#fail(entry, error);
    }
    await this.#list(entry);
  }

  async #list(entry: Entry): Promise<void> {
    try {
      const { usable } = await this.#load();
      this.#set(entry, { status: "ready", ...(await usable(entry.connection!, entry.closing.signal)) });
    } catch (error) {
      this.#fail(entry, error);
    }
  }

  #fail(entry: Entry, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#set(entry, { status: "failed", error: message, tools: [] });
  }

  #set(entry: Entry, changes: Partial<ServerState>): void {
    if (entry.closing.signal.aborted) return;
    entry.state = { ...entry.state, ...changes };
    this.#tell();
  }

  #tell(): void {
    this.#handlers.onChange([...this.#entries.values()].map(({ state }) => state));
  }

  /** The connection, which is given up when a call does not get through; what the server itself refuses has a code below 0. */
  #caller(entry: Entry): Pick<Connection, "label" | "call"> {
    const connection = entry.connection!;
    return {
      label: connection.label,
      call: async (name, args, signal) => {
        try {
          return await connection.call(name, args, signal);
        } catch (error) {
          const { code } = error as { code?: unknown };
          const refused = typeof code === "number" && code < 0;
          if (!refused && !signal?.aborted) this.#fail(entry, error);
          throw error;
        }
      },
    };
  }

  async #allow(entry: Entry, call: WantedCall, signal: AbortSignal | undefined): Promise<boolean> {
    const name = `${entry.state.url} ${call.tool}`;
    if (this.#always.has(name)) return true;
    const answer = await this.#handlers.ask(call, signal);
    if (answer === "always") this.#always.add(name);
    return answer !== "no";
  }
}
