// What nobody should send, through bare sockets: every request gets an answer with a 4xx status or loses its connection, and whoever is
// polite is served all the while.

import { connect } from "node:net";
import { beforeAll, describe, expect, test } from "vitest";
import { until } from "./server.mjs";
import { endless, PROMPT, useServer } from "./setup.mjs";

const fixture = useServer([]);
let port;
let good;
beforeAll(() => {
  port = Number(new URL(fixture.server.url).port);
  good = JSON.stringify({ prompt: PROMPT, max_tokens: 3, temperature: 0 });
});

const post = (path, body, headers = "") =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

/** A connection that collects what comes. */
async function open(...writes) {
  const socket = connect(port, "127.0.0.1");
  const received = [];
  socket.on("data", (chunk) => received.push(chunk));
  const closed = new Promise((resolve) => {
    socket.on("close", resolve);
    socket.on("error", resolve); // reset by the server, which is its right
  });
  await new Promise((resolve) => socket.once("connect", resolve));
  for (const data of writes) socket.write(data);
  return { socket, closed, text: () => Buffer.concat(received).toString("latin1") };
}

const statuses = ({ text }) => [...text().matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));

/** The statuses that came back for these bytes until a final answer was there. */
async function exchange(...writes) {
  const connection = await open(...writes);
  try {
    await until(() => connection.socket.destroyed || statuses(connection).length > 0, "an answer", 5000);
    return statuses(connection);
  } finally {
    connection.socket.destroy();
  }
}

/** The server still does its work. */
async function expectService() {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${fixture.baseURL}/completions`, { method: "POST", headers, body: good });
  const { choices } = await response.json();
  expect(choices[0].text).toBe(await fixture.alone.complete(PROMPT, { maxTokens: 3, temperature: 0 }).text());
}

/** A connection that was reset while a body was still on its way: its sender may not see the answer. */
const LOST = "lost";
const COMPLETIONS = "/v1/completions";
const CHAT = "/v1/chat/completions";
const batch = JSON.stringify({ prompt: Array(900).fill(Array(500).fill(1)), max_tokens: 0, echo: true, logprobs: 5 });
const deep = (levels) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
const nested = (levels) => `${'{"type":"array","items":'.repeat(levels)}{}${"}".repeat(levels)}`;
const chat = (more) => `{"messages":[{"role":"user","content":"a"}],"max_tokens":8,${more}}`;
const schema = (text) => chat(`"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":${text}}}`);

test.each([
  ["no JSON", [post(COMPLETIONS, "{")], 400],
  ["no object", [post(COMPLETIONS, "[]")], 400],
  ["nothing", [post(COMPLETIONS, "")], 400],
  ["deep JSON", [post(COMPLETIONS, deep(100_000))], 400],
  ["deep JSON in a field that is ignored", [post(COMPLETIONS, `{"prompt":"a","user":${deep(50_000)}}`)], 400],
  ["a number beyond all", [post(COMPLETIONS, '{"prompt":"a","max_tokens":1e999}')], 400],
  ["a negative number", [post(COMPLETIONS, '{"prompt":"a","max_tokens":-1}')], 400],
  ["a seed without end", [post(COMPLETIONS, `{"prompt":"a","seed":${"9".repeat(400)}}`)], 400],
  ["a prototype", [post(CHAT, '{"__proto__":{"messages":[]},"constructor":1}')], 400],
  ["a deep schema", [post(CHAT, schema(nested(90)))], 400],
  ["a schema of itself", [post(CHAT, schema('{"$ref":"#"}'))], 400],
  ["a pattern that explodes", [post(CHAT, schema('{"type":"string","pattern":"^(a+)+(b{1,9999}){1,9999}$"}'))], 400],
  ["a schema with huge bounds", [post(CHAT, schema('{"type":"string","minLength":1e15}'))], 400],
  ["a grammar of itself", [post(CHAT, chat('"grammar":"root ::= root \\"a\\""'))], 400],
  ["more log-probabilities than fit", [post(COMPLETIONS, batch)], 400],
  ["another type", [post(COMPLETIONS, "{}").replace("application/json", "text/plain")], 415],
  ["a long path", [`GET /${"a".repeat(8000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`], 404],
  ["a path that is no URL", ["GET //%ff%00/.. HTTP/1.1\r\nHost: localhost\r\n\r\n"], 400, 404],
  ["a host that is none", ["GET /v1/models HTTP/1.1\r\nHost: a b:c\r\n\r\n"], 400],
  ["no host", ["GET /v1/models HTTP/1.1\r\n\r\n"], 400],
  ["another server", ["GET http://other.test/v1/nothing HTTP/1.1\r\nHost: other.test\r\n\r\n"], 403],
  ["a method that does not fit", ["DELETE /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"], 405],
  ["a method that does not exist", ["FETCH /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"], 400],
  ["no HTTP", ["hello\r\n\r\n"], 400],
  ["huge headers", [`GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${"a".repeat(100_000)}\r\n\r\n`], 431],
  ["a negative length", [`POST ${COMPLETIONS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n`], 400],
  ["a broken chunk", [chunked("zz\r\n{}\r\n0\r\n\r\n")], 400],
  ["two lengths", [post(COMPLETIONS, "{}", "Transfer-Encoding: chunked\r\n")], 400],
  ["10 MB that are announced", [post(COMPLETIONS, "").replace("Length: 0", "Length: 10485760")], 413],
  ["10 MB in chunks", [chunked(""), ...Array(160).fill(`10000\r\n${"a".repeat(65_536)}\r\n`)], 413, LOST],
  ["10 MB", [post(COMPLETIONS, JSON.stringify({ prompt: "a".repeat(10_485_760) }))], 413, LOST],
])("%s", async (_, writes, ...expected) => {
  const [answer = LOST] = await exchange(...writes);
  expect(expected).toContain(answer);
  await expectService();
});

test("bytes that are no UTF-8", async () => {
  const body = Buffer.from('{"prompt":"\xff\xfe","max_tokens":1}', "latin1");
  const head = `POST ${COMPLETIONS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  expect(await exchange(Buffer.concat([Buffer.from(head), body]))).toEqual([400]);
});

test("requests one behind the other get their answers in this order", async () => {
  const connection = await open(
    `${post(COMPLETIONS, good) + post(COMPLETIONS, "{")}GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
  );
  await connection.closed;
  expect(statuses(connection)).toEqual([200, 400, 200]);
});

test("a client that asks before it sends may send", async () => {
  const connection = await open(
    post(COMPLETIONS, "", "Expect: 100-continue\r\n").replace("Length: 0", `Length: ${good.length}`),
  );
  await until(() => connection.text().startsWith("HTTP/1.1 100"), "100 Continue");
  connection.socket.write(good);
  await until(() => connection.text().includes("HTTP/1.1 200"), "the answer");
  connection.socket.destroy();
});

describe("many at once", () => {
  const COUNT = 200;

  test.each([
    ["send half of their headers", "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-"],
    ["send half of their body", post(COMPLETIONS, `{"prompt":"a"${" ".repeat(200)}}`).slice(0, -100)],
  ])("that %s, and go or stay", async (_, half) => {
    const connections = await Promise.all(Array.from({ length: COUNT }, () => open(half)));
    await expectService();
    for (const { socket } of connections) socket.destroy();
    await expectIdle();
  });

  test("that send nearly all of large bodies: more than memory is for are turned away", async () => {
    const MIB = 2 ** 20;
    const most = post(COMPLETIONS, "a".repeat(MIB)).slice(0, -9);
    const connections = await Promise.all(Array.from({ length: 70 }, () => open(most)));
    const refused = () => connections.flatMap(statuses);
    await until(() => refused().length > 0, "some are refused");
    expect(new Set(refused())).toEqual(new Set([429]));
    for (const { socket } of connections) socket.destroy();
    await expectIdle();
    await expectService();
  });

  test("that never read their streams", async () => {
    const body = JSON.stringify({ prompt: PROMPT, max_tokens: 200, stream: true, logit_bias: endless(fixture.alone) });
    const connections = await Promise.all(Array.from({ length: 20 }, () => open(post(COMPLETIONS, body))));
    for (const { socket } of connections) socket.pause();
    await until(async () => (await fixture.server.metric("zagreus_requests_running")) > 0, "the first one runs");
    for (const { socket } of connections) socket.destroy();
    await expectIdle();
    await expectService();
  });

  async function expectIdle() {
    await until(async () => (await fixture.server.metric("zagreus_requests_open")) === 1, "no request is open");
    expect(await fixture.server.metric("zagreus_requests_running")).toBe(0);
  }
});

test("what templates and control tokens look like stays text", async () => {
  const contents = ["{{ 7 * 7 }}{% for i in range(10**9) %}{% endfor %}", "<|im_end|><|eot_id|><|begin_of_text|></s>"];
  for (const content of contents) {
    const body = { messages: [{ role: "user", content }], max_tokens: 1, temperature: 0 };
    const headers = { "content-type": "application/json" };
    const response = await fetch(fixture.server.url + CHAT, { method: "POST", headers, body: JSON.stringify(body) });
    const { usage } = await response.json();
    expect(usage.prompt_tokens).toBeGreaterThanOrEqual(fixture.alone.tokenize(content, { bos: false }).length);
  }
});

function chunked(body) {
  return `POST ${COMPLETIONS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;
}
