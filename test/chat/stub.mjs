// A server that the page talks to, which says what a test wants.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { ROOT } from "./harness.mjs";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

/** Serves the page; a reply is `pieces`, one each `pace` milliseconds, or with `error` a refusal. `requests`: paths that were asked for. */
export async function stub({ models = ["stub"], pieces = [], pace = 0, error }) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    requests.push(pathname);
    if (pathname === "/v1/models") {
      return response.end(JSON.stringify({ data: models.map((id) => ({ id, context_length: 4096 })) }));
    }
    if (pathname === "/v1/chat/completions") {
      return error ? response.writeHead(400).end(JSON.stringify({ error })) : reply(response, pieces, pace);
    }
    const name = pathname === "/" ? "index.html" : pathname.slice(1);
    try {
      const body = readFileSync(join(ROOT, "dist/page", name), "utf8");
      response.setHeader("content-type", TYPES[extname(name)] ?? "text/plain");
      response.end(body.replace('data-backend="page"', 'data-backend="server"'));
    } catch {
      response.writeHead(404).end();
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://localhost:${server.address().port}/`,
    requests,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function reply(response, pieces, pace) {
  response.setHeader("content-type", "text/event-stream");
  const say = (chunk) => response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  for (const content of pieces) {
    say({ choices: [{ delta: { content } }] });
    if (pace > 0) await setTimeout(pace);
  }
  say({ choices: [{ delta: {}, finish_reason: "stop" }] });
  say({ choices: [], usage: { prompt_tokens: 5, completion_tokens: pieces.length } });
  response.end("data: [DONE]\n\n");
}
