// Servers of tools beside a model: handlers of the caller's, behind keys as all else. With servers: test/host/cli/mcp.test.ts.

import { afterAll, beforeAll, expect, test } from "vitest";
import type { Model } from "zagreus-edge";
import { createServer, type Server } from "zagreus-edge/server";
import { loadNano } from "../../support/nano";
import { request } from "./harness";

let model: Model;
let server: Server;
const asked: unknown[] = [];
beforeAll(async () => {
  model = await loadNano();
  const echo = async (request: Request, body: unknown) => {
    asked.push([request.headers.get("x-test"), body]);
    return Response.json({ said: body });
  };
  server = createServer(model, { apiKeys: ["k"], mcp: { echo } });
});
afterAll(() => model.close());

const ask = (path: string, body?: unknown, headers: Record<string, string> = { authorization: "Bearer k" }) =>
  server.fetch(request(path, body, { headers: { "content-type": "application/json", ...headers } }));

test("they are listed, and asked with what was sent", async () => {
  expect(await (await ask("/mcp")).json()).toEqual({ object: "list", data: [{ id: "echo" }] });
  const response = await ask("/mcp/echo", { a: 1 }, { authorization: "Bearer k", "x-test": "b" });
  expect(await response.json()).toEqual({ said: { a: 1 } });
  expect(asked).toEqual([["b", { a: 1 }]]);
});

test("not without a key, not by another name or method, not with what is no JSON or too much", async () => {
  const status = async (response: Promise<Response>) => (await response).status;
  expect(await status(ask("/mcp/echo", {}, {}))).toBe(401);
  expect(await status(ask("/mcp", undefined, {}))).toBe(401);
  expect(await status(ask("/mcp/other", {}))).toBe(404);
  expect(await status(ask("/mcp/__proto__", {}))).toBe(404);
  expect(await status(ask("/mcp/echo"))).toBe(405);
  const text = {
    method: "POST",
    body: "{",
    headers: { authorization: "Bearer k", "content-type": "application/json" },
  };
  expect(await status(server.fetch(new Request("http://localhost/mcp/echo", text)))).toBe(400);
  expect(await status(ask("/mcp/echo", "x".repeat(2 ** 20)))).toBe(413);
  expect(asked.length).toBe(1);
  expect(() => createServer(model, { mcp: { echo: 1 } as never })).toThrow(/option "mcp" is/);
});
