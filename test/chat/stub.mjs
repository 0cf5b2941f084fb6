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

/**
 * Serves the page. A reply is `pieces`, one each `pace` milliseconds, or the next list of deltas of `replies`, or with `error` a refusal.
 * `requests`: paths that were asked for, `bodies`: what replies were asked for with.
 */
export async function stub({ models = ["stub"], pieces = [], replies, pace = 0, error }) {
  const requests = [];
  const bodies = [];
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    requests.push(pathname);
    if (pathname === "/v1/models") {
      return response.end(JSON.stringify({ data: models.map((id) => ({ id, context_length: 4096 })) }));
    }
    if (pathname === "/v1/chat/completions") {
      bodies.push(JSON.parse(Buffer.concat(await request.toArray()).toString()));
      const deltas = replies ? replies[bodies.length - 1] : pieces.map((content) => ({ content }));
      return error ? response.writeHead(400).end(JSON.stringify({ error })) : reply(response, deltas, pace);
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
    bodies,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function reply(response, deltas, pace) {
  response.setHeader("content-type", "text/event-stream");
  const say = (chunk) => response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  for (const delta of deltas) {
    say({ choices: [{ delta }] });
    if (pace > 0) await setTimeout(pace);
  }
  say({ choices: [{ delta: {}, finish_reason: "stop" }] });
  say({ choices: [], usage: { prompt_tokens: 5, completion_tokens: deltas.length } });
  response.end("data: [DONE]\n\n");
}
