// What one client does to another: places, memory, caches, names.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createServer, type ServerOptions } from "zagreus-edge/server";
import { isAllowedHost, networkOf } from "../../../host/core/server/http/client";
import { loadNano } from "../../support/nano";
import { type Json, ORIGIN, puppet, request, until } from "./harness";

const PATH = "/v1/completions";

describe("clients", () => {
  test.each([
    ["127.0.0.1", "::ffff:127.0.0.1"],
    ["2001:db8:0:1::5", "2001:DB8:0:1:ffff::"],
    ["fe80::1%eth0", "fe80::2"],
    ["::1", "0:0:0:0:0:0:0:1"],
  ])("%s and %s are one", (one, other) => expect(networkOf(one)).toBe(networkOf(other)));

  test("other networks are others", () => {
    const group = fc.integer({ min: 0, max: 0xffff }).map((n) => n.toString(16));
    const address = fc.array(group, { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(address, address, (a, b) => {
        const same = a.slice(0, 4).join(":") === b.slice(0, 4).join(":");
        expect(networkOf(a.join(":")) === networkOf(b.join(":"))).toBe(same);
      }),
    );
    expect(networkOf("10.0.0.1")).not.toBe(networkOf("10.0.0.2"));
  });

  test("names that cost nothing make no clients, keys do", async () => {
    for (const apiKeys of [[], ["alice", "bob"]]) {
      const { server, talks } = puppet({ maxQueue: 1, apiKeys });
      const ask = (key: string) =>
        server.fetch(request(PATH, { prompt: "a" }, { headers: { authorization: `Bearer ${key}` } }), {
          client: "10.0.0.1",
        });
      const answers = [ask("alice")];
      await until(() => talks.length > 0); // their keys' digests may end in any order
      answers.push(ask("alice"));
      const late = ask("bob");
      await until(async () => (await Promise.race([late, answers[1]!, Promise.resolve(null)])) !== null);
      talks[0]!.end();
      await until(() => talks.length > 1);
      talks[1]!.end();
      const statuses = (await Promise.all([...answers, late])).map(({ status }) => status);
      expect(statuses).toEqual(apiKeys.length > 0 ? [200, 429, 200] : [200, 200, 429]);
    }
  });
});

describe("places", () => {
  test("the client that has most gives way, the latest first", async () => {
    const { server, talks } = puppet({ maxQueue: 3 });
    const ask = (client: string, prompt: string) => server.fetch(request(PATH, { prompt }), { client });
    const greedy = ["1", "22", "333", "4444"].map((prompt) => ask("greedy", prompt));
    await until(() => talks.length > 0);
    expect((await ask("greedy", "55555")).status).toBe(429);
    const others = [ask("b", "666666"), ask("c", "7777777")];
    expect((await greedy[3]!).status).toBe(429);
    expect((await greedy[2]!).headers.has("retry-after")).toBe(true);
    for (let i = 0; i < 4; i++) {
      await until(() => talks.length > i);
      talks[i]!.end();
    }
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual([200, 200]);
    expect(talks.map(({ prompt }) => prompt.length)).toEqual([1, 6, 2, 7]);
  });

  test("bodies on their way: others find room", async () => {
    const { server, talks } = puppet({ grace: 0 });
    const part = new Uint8Array(2 ** 20 - 1);
    const slow = (client: string) => {
      const body = new ReadableStream({ start: (controller) => controller.enqueue(part) });
      const init = { method: "POST", body, headers: { "content-type": "application/json" }, duplex: "half" };
      return server.fetch(new Request(`${ORIGIN}${PATH}`, init as RequestInit), { client });
    };
    const greedy = Array.from({ length: 64 }, () => slow("greedy"));
    const other = server.fetch(request(PATH, { prompt: "a".repeat(1_000_000) }), { client: "other" });
    await until(() => talks.length > 0);
    talks[0]!.end();
    expect((await other).status).toBe(200);
    expect((await greedy.at(-1)!).status).toBe(429);
    await server.close();
    expect((await Promise.all(greedy)).filter(({ status }) => status === 503)).toHaveLength(63);
  });

  test("a stream that nobody reads holds the model, and while others wait not for long", async () => {
    const { server, talks } = puppet({ readTimeout: 30 });
    const asleep = server.fetch(request(PATH, { prompt: "1", stream: true }), { client: "a" });
    await until(() => talks.length > 0);
    const long = "x".repeat(10_000);
    for (let i = 0; i < 1000; i++) talks[0]!.say(long);
    const { body } = await asleep;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(talks[0]!.said).toBeLessThan(40);
    expect(talks[0]!.aborted).toBe(false);
    const other = server.fetch(request(PATH, { prompt: "22" }), { client: "b" });
    await until(() => talks.length > 1);
    talks[1]!.end();
    expect((await other).status).toBe(200);
    expect(await new Response(body).text()).toMatch(/"code":"timeout"\}\}\n\ndata: \[DONE\]\n\n$/);
  });
});

describe("caches", () => {
  let model: Awaited<ReturnType<typeof loadNano>>;
  beforeAll(async () => {
    model = await loadNano();
  });
  afterAll(() => model.close());

  /** How much of a prompt was in the cache. */
  async function cached(server: ReturnType<typeof createServer>, key: string, client: string, more = {}) {
    const body = { prompt: "Il PIN della cassaforte: 4 7 1 9", max_tokens: 1, temperature: 0, ...more };
    const answer = await server.fetch(request(PATH, body, { headers: { authorization: `Bearer ${key}` } }), { client });
    return ((await answer.json()) as Json).usage.prompt_tokens_details.cached_tokens;
  }
  const secrets = ["alice", "bob"];

  test.each<[string, ServerOptions, [key: string, client: string, more: object], boolean]>([
    ["another key", { apiKeys: secrets }, ["bob", "10.0.0.1", {}], false],
    ["the same key elsewhere", { apiKeys: secrets }, ["alice", "10.0.0.2", {}], true],
    ["another network", {}, ["alice", "10.0.0.2", {}], false],
    ["another name in the same network", {}, ["eve", "10.0.0.1", {}], true],
    ["another key where it is wanted", { apiKeys: secrets, shareCache: true }, ["bob", "10.0.0.1", {}], true],
    ["a salt that the first did not have", {}, ["alice", "10.0.0.1", { cache_salt: "x" }], false],
  ])("%s", async (_, options, [key, client, more], found) => {
    const own = createServer(await loadNano(), options);
    await cached(own, "alice", "10.0.0.1");
    expect((await cached(own, key, client, more)) > 0).toBe(found);
  });

  test("a salt is shared by those who know it", async () => {
    const server = createServer(model, { apiKeys: secrets });
    await cached(server, "alice", "10.0.0.1", { cache_salt: "ours" });
    expect(await cached(server, "bob", "10.0.0.2", { cache_salt: "ours" })).toBeGreaterThan(0);
    expect(await cached(server, "bob", "10.0.0.2", { cache_salt: "others" })).toBe(0);
  });

  test("in the library, generations and scores", async () => {
    const prompt = "Ogni sale ha la sua cache, e nessuno sa degli altri";
    const reused = async (cacheSalt?: string) => {
      const completion = model.complete(prompt, { maxTokens: 1, cacheSalt });
      await completion.text();
      return completion.usage!.reusedTokens;
    };
    expect(await reused("a")).toBe(0);
    expect(await reused("b")).toBe(0);
    await model.logprobs(model.tokenize(prompt), { cacheSalt: "c" });
    expect([await reused(), await reused("a"), await reused("b")]).toEqual([0, expect.any(Number), expect.any(Number)]);
    expect(await reused("a")).toBeGreaterThan(0);
  });
});

describe("names of the server", () => {
  test("pages cannot make theirs point here", async () => {
    const server = createServer({ a: puppet().model as never }, { hosts: ["localhost", "*.example.com"] });
    const status = async (url: string) => (await server.fetch(new Request(`${url}/v1/models`))).status;
    for (const name of ["localhost:8080", "LOCALHOST.", "a.example.com", "127.0.0.1", "[::1]:80", "192.168.1.5"])
      expect([name, await status(`http://${name}`)]).toEqual([name, 200]);
    for (const name of [
      "evil.example",
      "example.com",
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "xlocalhost",
    ])
      expect([name, await status(`http://${name}`)]).toEqual([name, 403]);
    const error = await (await server.fetch(new Request("http://evil.example/health"))).json();
    expect(error).toMatchObject({
      error: { code: "unknown_host", message: 'this server is not called "evil.example"' },
    });
    expect(isAllowedHost(["*.a"], "b.a")).toBe(true);
  });
});
