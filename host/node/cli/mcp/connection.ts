// A connection with an MCP server, by the official SDK. Nothing a server says is believed: lists and results are checked by hand, so that one
// bad tool costs that tool alone, and no schema of a server is compiled.

import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import type { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { JsonSchema } from "../../index.js";
import type { Sdk } from "./sdk.js";
import type { Target } from "./target.js";

declare const ZAGREUS_VERSION: string;

const SECOND = 1000;
const START_TIMEOUT = 60 * SECOND; // npx may have to download it
const CALL_TIMEOUT = 60 * SECOND;
/** Progress extends a call up to this. */
const LONGEST_CALL = 600 * SECOND;
const CLOSE_TIMEOUT = 2 * SECOND;
const MAX_PAGES = 100;
const MAX_TOOLS = 1000;
const KEPT_STDERR = 2000;

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

export class Connection {
  readonly label: string;
  readonly #client: Client;
  readonly #transport: StdioClientTransport | StreamableHTTPClientTransport;
  readonly #any: Sdk["ResultSchema"];
  #stderr = "";
  #ended = false;
  #closing = false;

  /** @param onEnd told when the server goes away by itself, with what it said last */
  private constructor(sdk: Sdk, target: Target, onEnd: (line: string) => void) {
    this.label = target.label;
    this.#any = sdk.ResultSchema;
    this.#client = new sdk.Client({ name: "zagreus", version: ZAGREUS_VERSION }, { capabilities: {} });
    this.#transport =
      "url" in target
        ? new sdk.StreamableHTTPClientTransport(target.url)
        : new sdk.StdioClientTransport({ command: target.command, args: target.args, env: target.env, stderr: "pipe" });
    if ("stderr" in this.#transport) {
      this.#transport.stderr?.on("data", (chunk) => {
        this.#stderr = `${this.#stderr}${chunk}`.slice(-KEPT_STDERR);
      });
    }
    this.#client.onclose = () => {
      const said = this.#ended || this.#closing;
      this.#ended = true;
      if (!said) onEnd(`${this.label} has ended${this.#lastWords()}`);
    };
  }

  /** @throws Error that names the server, when it does not start or does not speak MCP */
  static async open(sdk: Sdk, target: Target, onEnd: (line: string) => void, signal: AbortSignal): Promise<Connection> {
    let starting = true;
    const connection = new Connection(sdk, target, (line) => starting || onEnd(line));
    try {
      // The SDK's own types do not meet under other compiler options.
      const transport = connection.#transport as Parameters<Client["connect"]>[0];
      await connection.#client.connect(transport, { timeout: START_TIMEOUT, signal });
    } catch (error) {
      const said = connection.#lastWords();
      await connection.close();
      signal.throwIfAborted();
      throw new Error(`the MCP server ${target.label} cannot be used: ${messageOf(error)}${said}`, { cause: error });
    } finally {
      starting = false;
    }
    return connection;
  }

  /** All pages of the server's tools. @throws Error that names the server */
  async list(signal: AbortSignal): Promise<ToolList> {
    const list: ToolList = { tools: [], unusable: [] };
    let cursor: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const params = cursor === undefined ? {} : { cursor };
      const { tools, nextCursor } = await this.#request({ method: "tools/list", params }, signal).catch((error) => {
        signal.throwIfAborted();
        throw new Error(`the MCP server ${this.label} lists no tools: ${messageOf(error)}`, { cause: error });
      });
      if (!Array.isArray(tools))
        throw new Error(`the MCP server ${this.label} lists no tools: ${typeof tools} instead`);
      for (const tool of tools) sort(tool, list);
      if (list.tools.length > MAX_TOOLS) break;
      if (typeof nextCursor !== "string" || nextCursor === "") return list;
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
    if ("terminateSession" in this.#transport) {
      const late = new Promise((resolve) => setTimeout(resolve, CLOSE_TIMEOUT).unref());
      await Promise.race([this.#transport.terminateSession().catch(() => {}), late]);
    }
    await this.#client.close().catch(() => {});
    await this.#transport.close().catch(() => {}); // the client has none if the start failed
  }

  #lastWords(): string {
    const line = this.#stderr.trim().split("\n").at(-1)?.trim() ?? "";
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
