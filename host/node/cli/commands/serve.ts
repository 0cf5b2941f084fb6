// `zagreus serve`: OpenAI's API over HTTP, and how the server starts and ends.

import { once } from "node:events";
import type { Server as HttpServer, IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { Command, type OptionValues } from "commander";
import { printable } from "../../../core/api/printable.js";
import type { Server } from "../../../core/server/index.js";
import { readTemplate, withTemplate } from "../chat/template.js";
import { type Bridge, openBridge } from "../mcp/bridge.js";
import { mcpTargets, type Target } from "../mcp/target.js";
import { chatPage } from "../serve/page.js";
import { type PromptCacheFlags, promptCacheOf, withPromptCache } from "../serve/prompt_cache.js";
import { LOG_FORMATS, type LogFormat, requestLog } from "../serve/request_log.js";
import { modelsOf, type ServedFlags, withServedModels } from "../serve/served_models.js";
import { warnOfNoTemplate, warnOfOpenDoors } from "../serve/warnings.js";
import { choice, integer, list } from "../shared/arguments.js";
import { notice, printJson } from "../shared/output.js";

interface ServeFlags extends ServedFlags, PromptCacheFlags, OptionValues {
  port: number;
  host: string;
  apiKey?: string[];
  allowHost?: string[];
  cors?: string[];
  shareCache?: boolean;
  maxQueue?: number;
  maxQueueTokens?: number;
  maxTokens?: number;
  maxBody?: number;
  template?: string;
  grace?: number;
  mcp?: Target[];
  log: LogFormat;
}

/** Milliseconds: headers and bodies that come slower keep nobody's connection. */
const HTTP = {
  headersTimeout: 20_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
};
/** Milliseconds that a client has to take the rest of its answer when the server ends. */
const LINGER_MS = 2_000;

export function serveCommand(): Command {
  return withPromptCache(withTemplate(withServedModels(new Command("serve"))))
    .description("serve models with OpenAI's API")
    .option("--port <n>", "port, 0 for any that is free", integer(0, 65_535), 8080)
    .option("--host <address>", "address to listen at", "127.0.0.1")
    .option("--api-key <key>", "key that requests must have; may be repeated (default: ZAGREUS_API_KEY, or none)", list)
    .option(
      "--allow-host <name>",
      "host name that requests may call, *.NAME for all below; may be repeated (default: this machine's, with a key any)",
      list,
    )
    .option("--cors <origin>", "origin whose pages may call, * for all; may be repeated (default: none)", list)
    .option(
      "--share-cache",
      "let clients find each other's prompts in the cache: faster, and tells what others have asked",
    )
    .option("--max-queue <n>", "requests that wait at most (default: 64)", integer(0))
    .option("--max-queue-tokens <n>", "tokens of prompts that a client may have waiting (default: 262144)", integer(1))
    .option("--max-tokens <n>", "tokens that a request may ask for at most (default: the context)", integer(1))
    .option("--max-body <bytes>", "size of a request at most (default: 1 MiB)", integer(1))
    .option("--grace <seconds>", "time for what runs when the server is stopped (default: 10)", integer(0))
    .option(
      "--mcp <server>",
      "a server of tools for the chat page and other clients of MCP: its URL, or the command that starts it; repeatable",
      mcpTargets,
    )
    .addOption(choice("--log <format>", "lines about requests, on standard error", LOG_FORMATS).default("text"))
    .addHelpText(
      "after",
      `
Examples:
  zagreus serve -m nesso-instruct
  zagreus serve -m chat=nesso-instruct -m tools=nesso2-agentic --memory 1024
  zagreus serve -m nesso2-agentic --mcp "npx -y @modelcontextprotocol/server-everything"
  zagreus serve -m model.gguf --host 0.0.0.0 --api-key KEY`,
    )
    .action(run);
}

async function run(flags: ServeFlags): Promise<void> {
  const template = await readTemplate(flags.template);
  const models = await modelsOf({ ...flags, prompts: promptCacheOf(flags) }, (name, model) =>
    warnOfNoTemplate(name, model, template),
  );
  const mcp = await openBridge(flags.mcp ?? [], models.signal, notice);
  try {
    await serve(flags, template, models, mcp);
  } finally {
    await mcp.close();
  }
}

/** Until the signal. */
async function serve(
  flags: ServeFlags,
  template: string | undefined,
  { names, models, adapters, memory, signal, close }: Awaited<ReturnType<typeof modelsOf>>,
  mcp: Bridge,
): Promise<void> {
  const apiKeys = flags.apiKey ?? keysFromEnvironment();
  const { createServer } = await import("../../../core/server/index.js"); // here, so that other commands start without it
  const server = createServer(models, {
    apiKeys,
    hosts: flags.allowHost ?? (apiKeys.length > 0 ? "*" : namesOfThisMachine(flags.host)),
    shareCache: flags.shareCache,
    cors: flags.cors?.includes("*") ? "*" : flags.cors,
    maxQueue: flags.maxQueue,
    maxQueueTokens: flags.maxQueueTokens,
    maxTokens: flags.maxTokens,
    maxBody: flags.maxBody,
    adapters,
    memory,
    grace: flags.grace === undefined ? undefined : flags.grace * 1000,
    template,
    page: await chatPage(),
    mcp: mcp.handlers,
    onRequest: requestLog(flags.log),
    onError: (error) => notice(String((error instanceof Error && error.stack) || error)),
  });
  const http = await listenTo(server);
  http.listen(flags.port, flags.host);
  await once(http, "listening");
  const url = urlOf(http.address() as AddressInfo);
  warnOfOpenDoors({ host: flags.host, apiKeys, cors: flags.cors, tools: flags.mcp !== undefined });
  process.stderr.write(`zagreus: serving ${printable(names.join(", "))} at ${url}/v1, the chat page at ${url}\n`);
  if (flags.json) printJson({ url, model: names[0], models: names });

  if (!signal.aborted) await once(signal, "abort");
  process.stderr.write("zagreus: stopping; a second signal ends at once\n");
  http.close();
  await server.close();
  await disconnect(http);
  close();
}

/** Closes what is idle, until what has been said is on its way; then all. */
async function disconnect(http: HttpServer): Promise<void> {
  const end = performance.now() + LINGER_MS;
  const connections = promisify(http.getConnections.bind(http));
  while ((await connections()) > 0 && performance.now() < end) {
    http.closeIdleConnections();
    await setTimeout(50);
  }
  http.closeAllConnections();
}

async function listenTo(server: Server): Promise<HttpServer> {
  const { createAdaptorServer } = await import("@hono/node-server");
  const fetch = (request: Request, { incoming }: { incoming: IncomingMessage }) =>
    server.fetch(request, { client: incoming.socket.remoteAddress });
  return createAdaptorServer({
    fetch: fetch as Parameters<typeof createAdaptorServer>[0]["fetch"],
    overrideGlobalObjects: false,
    serverOptions: HTTP,
  }) as HttpServer;
}

function keysFromEnvironment(): string[] {
  const key = process.env.ZAGREUS_API_KEY;
  return key ? [key] : [];
}

/** What may stand in a Host header without a key: no page in a browser can make these names point elsewhere. */
function namesOfThisMachine(host: string): string[] {
  return ["localhost", "*.localhost", hostname(), host];
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
