// A server of the official SDK, with tools as strangers have them: `node server.mjs` speaks on standard streams, with `http` it prints its URL.

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
  { name: "hangs", inputSchema: object(), run: (_, signal) => aborted(signal) },
  { name: "exits", inputSchema: object(), run: () => process.exit(7) },
];

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
  const made = new Server({ name: "strange", version: "1.0.0" }, { capabilities: { tools: {} } });
  made.setRequestHandler(ListToolsRequestSchema, ({ params }) => {
    const page = Number(params?.cursor ?? 0);
    const { run: _, ...tool } = TOOLS[page];
    return { tools: [tool], ...(page + 1 < TOOLS.length && { nextCursor: `${page + 1}` }) };
  });
  made.setRequestHandler(CallToolRequestSchema, ({ params }, { signal }) =>
    TOOLS.find(({ name }) => name === params.name).run(params.arguments, signal),
  );
  return made;
}

const sessions = new Map();

async function answer(request, response) {
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
