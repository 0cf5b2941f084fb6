// A connection with an MCP server, by the official SDK. Nothing a server says is believed: lists and results are checked by hand, so that one
// bad tool costs that tool alone, and no schema of a server is compiled.

import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { ResultSchema, ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import type { JsonSchema } from "../index.js";

declare const ZAGREUS_VERSION: string;

const SECOND = 1000;
const START_TIMEOUT = 60 * SECOND; // npx may have to download it
const CALL_TIMEOUT = 60 * SECOND;
/** Progress extends a call up to this. */
const LONGEST_CALL = 600 * SECOND;
const CLOSE_TIMEOUT = 2 * SECOND;
const MAX_PAGES = 100;
const MAX_TOOLS = 1000;

/** A tool as its server describes it. */
export interface ServerTool {
  name: string;
  description: string | undefined;
  inputSchema: JsonSchema;
}

export interface ToolList {
  tools: ServerTool[];
  /** Names of tools that cannot be called, with the reason. */
  unusable: { name: string; reason: string }[];
}

/** Of the SDK what a connection is made with: whoever opens one has loaded it. */
export interface Sdk {
  Client: typeof Client;
  ResultSchema: typeof ResultSchema;
  ToolListChangedNotificationSchema: typeof ToolListChangedNotificationSchema;
}

/** A way to a server. */
export interface Way {
  /** What the server is called. */
  label: string;
  transport: Parameters<Client["connect"]>[0] | StreamableHTTPClientTransport;
  /** What the server said last beside the protocol, if that can be known. */
  lastWords?(): string;
}

/** Who is told what a server does by itself. */
export interface Listener {
  /** It has gone away. */
  onEnd(line: string): void;
  /** It has other tools than before. */
  onChange(): void;
}

export class Connection {
  readonly label: string;
  readonly #client: Client;
  readonly #way: Way;
  readonly #any: Sdk["ResultSchema"];
  #ended = false;
  #closing = false;

  private constructor(sdk: Sdk, way: Way, { onEnd, onChange }: Listener) {
    this.label = way.label;
    this.#way = way;
    this.#any = sdk.ResultSchema;
    this.#client = new sdk.Client({ name: "zagreus", version: ZAGREUS_VERSION }, { capabilities: {} });
    this.#client.onclose = () => {
      const said = this.#ended || this.#closing;
      this.#ended = true;
      if (!said) onEnd(`${this.label} has ended${this.#lastWords()}`);
    };
    this.#client.setNotificationHandler(sdk.ToolListChangedNotificationSchema, () => onChange());
  }

  /** @throws Error that names the server, when it does not start or does not speak MCP */
  static async open(sdk: Sdk, way: Way, listener: Listener, signal: AbortSignal): Promise<Connection> {
    let starting = true;
    const onEnd = (line: string) => starting || listener.onEnd(line);
    const connection = new Connection(sdk, way, { ...listener, onEnd });
    try {
      // The SDK's own types do not meet under other compiler options.
      const transport = way.transport as Parameters<Client["connect"]>[0];
      await connection.#client.connect(transport, { timeout: START_TIMEOUT, signal });
    } catch (error) {
      const said = connection.#lastWords();
      await connection.close();
      signal.throwIfAborted();
      throw new Error(`the MCP server ${connection.label} cannot be used: ${messageOf(error)}${said}`, {
        cause: error,
      });
    } finally {
      starting = false;
    }
    return connection;
  }

  /** The server's tools, each where it belongs. @throws Error that names the server */
  async list(signal: AbortSignal): Promise<ToolList> {
    const list: ToolList = { tools: [], unusable: [] };
    for (const tool of await this.listed(signal)) sort(tool, list);
    return list;
  }

  /** All pages of the server's tools, as it has them. @throws Error that names the server */
  async listed(signal: AbortSignal): Promise<unknown[]> {
    const all: unknown[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const params = cursor === undefined ? {} : { cursor };
      const { tools, nextCursor } = await this.#request({ method: "tools/list", params }, signal).catch((error) => {
        signal.throwIfAborted();
        throw new Error(`the MCP server ${this.label} lists no tools: ${messageOf(error)}`, { cause: error });
      });
      if (!Array.isArray(tools))
        throw new Error(`the MCP server ${this.label} lists no tools: ${typeof tools} instead`);
      all.push(...tools);
      if (all.length > MAX_TOOLS) break;
      if (typeof nextCursor !== "string" || nextCursor === "") return all;
      cursor = nextCursor;
    }
    throw new Error(
      `the MCP server ${this.label} lists no end of tools: more than ${MAX_PAGES} pages or ${MAX_TOOLS} tools`,
    );
  }

  /** What a tool returns, as the server has it. @throws Error when there is no answer */
  async call(name: string, args: Record<string, unknown>, signal: AbortSignal | undefined): Promise<object> {
    if (this.#ended) throw new Error(`the server ${this.label} has ended${this.#lastWords()}`);
    return this.#request({ method: "tools/call", params: { name, arguments: args } }, signal);
  }

  async #request(request: Parameters<Client["request"]>[0], signal: AbortSignal | undefined) {
    const { signal: own, release } = linked(signal);
    try {
      return await this.#client.request(request, this.#any, {
        timeout: CALL_TIMEOUT,
        maxTotalTimeout: LONGEST_CALL,
        resetTimeoutOnProgress: true,
        onprogress: () => {},
        signal: own,
      });
    } finally {
      release();
    }
  }

  /** Ends the session, and the server if it was started here. */
  async close(): Promise<void> {
    this.#closing = true;
    const { transport } = this.#way;
    if ("terminateSession" in transport) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise((resolve) => {
        timer = setTimeout(resolve, CLOSE_TIMEOUT);
      });
      await Promise.race([transport.terminateSession().catch(() => {}), late]);
      clearTimeout(timer);
    }
    await this.#client.close().catch(() => {});
    await transport.close().catch(() => {}); // the client has none if the start failed
  }

  #lastWords(): string {
    const line = this.#way.lastWords?.().trim().split("\n").at(-1)?.trim() ?? "";
    return line === "" ? "" : ` (it said: ${line.slice(0, 300)})`;
  }
}

/** A signal for one request: the SDK leaves its listeners on those that it is given. */
function linked(signal: AbortSignal | undefined): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  return { signal: controller.signal, release: () => signal?.removeEventListener("abort", abort) };
}

/** Puts a tool where it belongs. */
function sort(tool: unknown, { tools, unusable }: ToolList): void {
  const { name, description, inputSchema, execution } = (tool ?? {}) as Record<string, unknown>;
  const { type = "object" } = (inputSchema ?? {}) as Record<string, unknown>;
  if (typeof name !== "string" || name === "") unusable.push({ name: "a tool", reason: "it has no name" });
  else if (inputSchema === null || typeof inputSchema !== "object") {
    unusable.push({ name, reason: "it has no inputSchema" });
  } else if (type !== "object") {
    unusable.push({ name, reason: `its inputSchema is of type ${JSON.stringify(type)}, not "object"` });
  } else if ((execution as { taskSupport?: unknown } | undefined)?.taskSupport === "required") {
    unusable.push({ name, reason: "it runs as a task only" });
  } else {
    const said = typeof description === "string" ? description : undefined;
    tools.push({ name, description: said, inputSchema: inputSchema as JsonSchema });
  }
}

function messageOf(error: unknown): string {
  const { message, cause } = error instanceof Error ? error : new Error(String(error));
  return cause instanceof Error && cause.message !== "" ? `${message}: ${cause.message}` : message;
}
