// The OpenAI-compatible server in workerd.

import { afterAll, beforeAll, expect, test } from "vitest";
import { bundledModel, load } from "zagreus-edge";
import { createServer } from "zagreus-edge/server";
import { useServer } from "../runtimes/server_suite.mjs";
import { workerd } from "./workerd.mjs";

let worker;
beforeAll(async () => {
  worker = await workerd("server_worker.mjs", { durableObjects: { SERVER: "Server" } });
});
afterAll(() => worker?.dispose());

test("the handler answers as it does in Node", async () => {
  const model = await load(bundledModel);
  const expected = await useServer({ createServer, model });
  model.close();
  expect(expected).toMatchObject({ denied: 401, invalid: 400, large: 413, hungUp: true, closed: 503 });
  expect(expected.streamed).toBe(expected.text);
  expect(await worker.json("/suite")).toEqual(expected);
});

// workerd does not tell that it has gone: the text is made to its end.
test("a client that leaves a stream holds up nobody for good", async () => {
  const origin = String(await worker.miniflare.ready);
  const ends = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [8176 + i, -100]));
  const body = JSON.stringify({ prompt: "a", max_tokens: 500, stream: true, logit_bias: ends });
  const controller = new AbortController();
  const headers = { "content-type": "application/json" };
  const { signal } = controller;
  const response = await fetch(`${origin}v1/completions`, { method: "POST", headers, body, signal });
  await response.body.getReader().read();
  controller.abort();
  const metrics = async () => (await fetch(`${origin}metrics`)).text();
  await expect.poll(metrics, { timeout: 10_000 }).toMatch(/requests_running\{.*\} 0\n/);
  const next = await fetch(`${origin}v1/completions`, {
    method: "POST",
    headers,
    body: '{"prompt":"a","max_tokens":1}',
  });
  expect(next.status).toBe(200);
});
