// A server of the official SDK, with tools as strangers have them: `node server.mjs` speaks on standard streams, with `http` it prints its URL,
// and with TOKEN wants it as a bearer of every request.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { CallToolRequestSchema, isInitializeRequest, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const object = (properties = {}) => ({ type: "object", properties, required: Object.keys(properties) });
const text = (value) => ({ content: [{ type: "text", text: value }] });

const TOOLS = [
  { name: "a/b", inputSchema: object(), run: () => text("one") },
  { name: "a b", inputSchema: object(), run: () => text("another") },
  {
    name: "bounded",
    description: "Has a pattern that no grammar of ours can keep.",
    inputSchema: object({ x: { type: "string", maxLength: 3, pattern: "^(a)\\1$", enum: ["b"] } }),
    run: ({ x }) => text(x),
  },
  {
    name: "elsewhere",
    inputSchema: object({ x: { $ref: "https://example.com/schema.json" } }),
    run: () => text("never"),
  },
  { name: "fails", inputSchema: object(), run: () => ({ ...text("it is broken"), isError: true }) },
  { name: "long", inputSchema: object(), run: () => text("x".repeat(100_000)) },
  { name: "escapes", inputSchema: object(), run: () => text("\u001b[2Jgone") },
  { name: "hangs", inputSchema: object(), run: (_, { signal }) => aborted(signal) },
  { name: "exits", inputSchema: object(), run: () => process.exit(7) },
  { name: "grows", inputSchema: object(), run: (_, { sendNotification }) => grow(sendNotification) },
];
const { TOKEN } = process.env;

/** From now on there is one more tool. */
async function grow(sendNotification) {
  if (!TOOLS.some(({ name }) => name === "grown")) {
    TOOLS.push({ name: "grown", inputSchema: object(), run: () => text("new") });
  }
  await sendNotification({ method: "notifications/tools/list_changed" });
  return text("grown");
}

function aborted(signal) {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => {
      process.stderr.write("cancelled by the client\n");
      resolve(text("too late"));
    });
  });
}

/** Lists one tool a page. */
function server() {
  const made = new Server({ name: "strange", version: "1.0.0" }, { capabilities: { tools: { listChanged: true } } });
  made.setRequestHandler(ListToolsRequestSchema, ({ params }) => {
    const page = Number(params?.cursor ?? 0);
    const { run: _, ...tool } = TOOLS[page];
    return { tools: [tool], ...(page + 1 < TOOLS.length && { nextCursor: `${page + 1}` }) };
  });
  made.setRequestHandler(CallToolRequestSchema, ({ params }, extra) =>
    TOOLS.find(({ name }) => name === params.name).run(params.arguments, extra),
  );
  return made;
}

const sessions = new Map();

/** What lets pages of other origins in. */
const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "GET, POST, DELETE",
  "access-control-allow-headers": "*, authorization",
  "access-control-expose-headers": "mcp-session-id",
};

async function answer(request, response) {
  for (const [name, value] of Object.entries(CORS)) response.setHeader(name, value);
  if (request.method === "OPTIONS") return response.writeHead(204).end();
  if (TOKEN && request.headers.authorization !== `Bearer ${TOKEN}`) return response.writeHead(401).end("who are you?");
  const chunks = await request.toArray();
  const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks)) : undefined;
  let transport = sessions.get(request.headers["mcp-session-id"]);
  if (!transport && isInitializeRequest(body)) {
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => sessions.set(id, transport),
      onsessionclosed: () => console.log("session closed"),
    });
    await server().connect(transport);
  }
  if (transport) return transport.handleRequest(request, response, body);
  response.writeHead(404).end();
}

if (process.argv[2] === "http") {
  const http = createServer((request, response) => answer(request, response));
  http.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${http.address().port}/mcp`));
} else {
  await server().connect(new StdioServerTransport());
}
