// A URL whose server breaks off, and what it answers then.

import { randomBytes } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { openDownload } from "../../../host/core/load/download";
import { byteSource } from "../../../host/core/load/source";
import { proxyHint } from "../../../host/node/hint";

const BYTES = new Uint8Array(randomBytes(100_000));
const ETAG = '"v1"';

/** An answer from byte `from` on that breaks off after `count` bytes of it, without a sign or with an error. */
function answer(from: number, count: number, init: ResponseInit & { error?: boolean } = {}): Response {
  const end = Math.min(BYTES.length, from + count);
  let at = from;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = BYTES.slice(at, Math.min(end, at + 1000));
      at += chunk.length;
      if (chunk.length > 0) controller.enqueue(chunk);
      else if (init.error) controller.error(new Error("terminated"));
      else controller.close();
    },
  });
  const length = { "content-length": String(BYTES.length - from), etag: ETAG };
  return new Response(body, { ...init, headers: { ...length, ...(init.headers as object) } });
}

let requests: Record<string, string>[] = [];
afterEach(() => {
  requests = [];
});

async function collected(answers: (Response | Error)[]): Promise<Uint8Array> {
  const request = async (headers: Record<string, string>) => {
    requests.push(headers);
    const next = answers.shift() ?? new Error("no more answers");
    if (next instanceof Error) throw next;
    return next;
  };
  const { size, chunks } = await openDownload("http://x/y", request, { signal: undefined, delayMs: 1 });
  expect(size).toBe(BYTES.length);
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return new Uint8Array(Buffer.concat(all));
}

const ranged = (from: number, count: number) =>
  answer(from, count, { status: 206, headers: { "content-range": `bytes ${from}-99999/100000` } });

test.each<[string, Response[]]>([
  ["nothing breaks", [answer(0, 1e6)]],
  ["it ends early", [answer(0, 40_000), ranged(40_000, 1e6)]],
  ["it breaks", [answer(0, 40_000, { error: true }), ranged(40_000, 1e6)]],
  [
    "it breaks again and again",
    [answer(0, 10_000), ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => ranged(i * 10_000, 10_000))],
  ],
  ["the range is ignored", [answer(0, 40_000), answer(0, 1e6)]],
  ["the range is ignored and breaks earlier", [answer(0, 40_000), answer(0, 20_000), answer(0, 1e6)]],
  ["the rest comes with status 200", [answer(0, 40_000), answer(40_000, 1e6)]],
  ["it begins earlier than asked", [answer(0, 40_000), ranged(30_000, 1e6)]],
  ["a server in trouble", [answer(0, 40_000), new Response("", { status: 503 }), ranged(40_000, 1e6)]],
])("%s", async (_, answers) => {
  const count = answers.length;
  expect(await collected(answers)).toEqual(BYTES);
  expect(requests).toHaveLength(count);
  expect(requests.slice(1).every((headers) => headers["if-range"] === ETAG)).toBe(true);
});

test("another file than before is not put behind the first", async () => {
  const changed = answer(0, 1e6, { headers: { etag: '"v2"' } });
  await expect(collected([answer(0, 40_000), changed])).rejects.toMatchObject({
    code: "SOURCE_FAILED",
    message: expect.stringContaining("the server has another file now"),
  });
  expect(requests).toHaveLength(2);
});

test("a server that gets no further is given up", async () => {
  const failing = collected([answer(0, 40_000), ...Array.from({ length: 9 }, () => new Error("refused"))]);
  await expect(failing).rejects.toThrow("refused");
  expect(requests).toHaveLength(5);
});

test("without a length there is nothing to go on with", async () => {
  const whole = new Response(BYTES);
  const { size, chunks } = await openDownload("http://x/y", async () => whole, { signal: undefined });
  expect(size).toBeUndefined();
  expect(chunks).toBeDefined();
  await byteSource(new Response("")); // and an empty one is no error
});

test("a failure says whether a proxy was asked", () => {
  const hint = (env: Record<string, string>, versions: Record<string, string> = { node: "20.0.0" }) =>
    proxyHint(new URL("https://models.example:8443/x"), { env, versions } as never);
  const asked = "; the proxy that HTTPS_PROXY names was asked";
  expect(hint({})).toBe("");
  expect(hint({ http_proxy: "http://p:1" })).toBe("");
  expect(hint({ HTTPS_PROXY: "http://p:1" })).toMatch(/^; HTTPS_PROXY names a proxy.*NODE_USE_ENV_PROXY=1/);
  expect(hint({ HTTPS_PROXY: "http://p:1", NODE_USE_ENV_PROXY: "1" })).toBe(asked);
  expect(hint({ HTTPS_PROXY: "http://p:1" }, { node: "24.0.0", deno: "2.0.0" })).toBe(asked);
  expect(hint({ ALL_PROXY: "http://p:1", NODE_USE_ENV_PROXY: "1" })).toMatch(
    /^; ALL_PROXY .* when HTTPS_PROXY names it/,
  );
  for (const excepted of ["*", "models.example", ".example", "a, example", "models.example:8443"]) {
    expect(hint({ HTTPS_PROXY: "http://p:1", NO_PROXY: excepted })).toBe("");
  }
  expect(hint({ HTTPS_PROXY: "http://p:1", NO_PROXY: "odels.example models.example:80" })).not.toBe("");
});
