// What goes wrong with a model in shards, in workerd and in the middle of texts: the right text, or an error in words, and never another's text.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { load } from "zagreus-edge";
import { createServer } from "zagreus-edge/server";
import { here, MODEL } from "../workerd.mjs";
import { cluster, KEYS } from "./cluster.mjs";

const FLAGS = ["--context", "256", "--shards", "3", "--sequences", "4", "--piece", "300K"];
const SHARDS = ["SHARD_1", "SHARD_2", "SHARD_3"];
const entries = { edge: here("shards/edge_worker.mjs"), shard: here("shards/shard_worker.mjs") };
const body = (prompt, tokens = 40) => ({ prompt, max_tokens: tokens, temperature: 0 });

let whole;
let alone;
beforeAll(async () => {
  whole = await load(MODEL, { contextLength: 256 });
  alone = createServer(whole);
});
afterAll(() => whole?.close());

async function expected(...asked) {
  const init = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body(...asked)),
  };
  return (await (await alone.fetch("http://alone/v1/completions", init)).json()).choices[0].text;
}

/** Reads a stream to its end: what it says, and its error. @param at called when some pieces have come */
async function read(response, at = () => {}) {
  let [text, error, unread, count] = ["", undefined, "", 0];
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const events = (unread + chunk).split("\n\n");
    unread = events.pop();
    for (const event of events.filter((each) => each.startsWith("data: {"))) {
      const data = JSON.parse(event.slice(6));
      error ??= data.error;
      text += data.choices?.[0].text ?? "";
      if (++count === 8) await at();
    }
  }
  return { text, error };
}

describe("a set that has started", () => {
  let model;
  const tell = async (part, what) => (await fetch(new URL(`/test/${part}/${what}`, model.url))).json();
  const end = (part) => fetch(new URL(`/test/${part}/kill`, model.url)).catch(() => {});
  const say = async (asked, at) => read(await model.post("/v1/completions", { ...body(...asked), stream: true }), at);
  const text = async (...asked) => {
    const response = await model.post("/v1/completions", body(...asked));
    const answer = await response.json();
    return response.ok ? answer.choices[0].text : { status: response.status, ...answer.error };
  };
  const running = async () => {
    const headers = { authorization: "Bearer local" };
    const metrics = await (await fetch(new URL("/metrics", model.url), { headers })).text();
    return Number(/requests_running\{.*\} (\d+)/.exec(metrics)?.[1]);
  };
  beforeAll(async () => {
    const change = (worker) => ({ ...worker, bindings: { ...worker.bindings, TIMEOUT_MS: 1000 } });
    model = await cluster(MODEL, { flags: FLAGS, entries, change });
    expect(await text("C'era una volta")).toBe(await expected("C'era una volta"));
    for (const shard of SHARDS) await tell(shard, "slow");
  });
  afterAll(() => model?.dispose());

  test.each(SHARDS)("%s is killed in the middle of a text", async (shard) => {
    const before = await tell(shard, "counts");
    expect(await say(["Il re"], () => end(shard))).toEqual({ text: await expected("Il re") });
    expect((await tell(shard, "counts")).fetches).toBe(before.fetches + 1);
  });

  test("all of them are, one after the other, beneath four texts", async () => {
    const prompts = ["Il mare", "Once upon a time", "La regina", "Nel bosco"];
    const kill = async () => {
      for (const shard of SHARDS) await end(shard);
    };
    const said = await Promise.all(prompts.map((prompt, i) => say([prompt], i === 0 ? kill : undefined)));
    expect(said).toEqual(await Promise.all(prompts.map(async (prompt) => ({ text: await expected(prompt) }))));
  });

  test.each(SHARDS)("%s does not answer any more", async (shard) => {
    const stall = () => tell(shard, "stall");
    expect(await say(["La luna"], stall)).toEqual({ text: await expected("La luna") });
  });

  test("the edge is killed: the stream says so, and the next request is answered", async () => {
    const { text: said, error } = await say(["Il sole"], () => end("EDGE"));
    expect(error).toEqual({
      message: "the model's object has ended in the middle of this answer",
      type: "server_error",
      param: null,
      code: "model_unavailable",
    });
    expect((await expected("Il sole")).startsWith(said)).toBe(true);
    expect(await text("Il sole")).toBe(await expected("Il sole"));
  });

  test("a client that leaves holds up nobody", async () => {
    const controller = new AbortController();
    const init = { signal: controller.signal };
    const request = { ...body("La strada", 200), stream: true };
    const headers = { "content-type": "application/json", authorization: "Bearer local" };
    const response = await model.post("/v1/completions", request, { ...init, headers });
    await response.body.getReader().read();
    expect(await running()).toBe(1);
    controller.abort();
    await expect.poll(running, { timeout: 3000 }).toBe(0);
    expect(await text("La strada")).toBe(await expected("La strada"));
  });

  test("four texts in flight: the shards work at the same time", async () => {
    // Frames that take 8 ms each, one after the other, are a processor for each shard.
    const prompts = ["Il vento", "La neve", "The river", "La notte"];
    const timed = async (say) => {
      const begun = performance.now();
      const said = await say();
      return { said, ms: performance.now() - begun };
    };
    const inTurn = await timed(async () => {
      const said = [];
      for (const prompt of prompts) said.push(await text(prompt, 40));
      return said;
    });
    const together = await timed(() => Promise.all(prompts.map((prompt) => text(`${prompt}, `, 40))));
    console.log(`in turn ${Math.round(inTurn.ms)} ms, together ${Math.round(together.ms)} ms`);
    for (const [i, prompt] of prompts.entries()) {
      expect(inTurn.said[i]).toBe(await expected(prompt, 40));
      expect(together.said[i]).toBe(await expected(`${prompt}, `, 40));
    }
    expect(inTurn.ms / together.ms).toBeGreaterThan(2.5);
  });

  test("20 clients on the memory of four: everybody has their own text", async () => {
    for (const shard of SHARDS) await tell(shard, "fast");
    const prompts = Array.from({ length: 20 }, (_, i) => `${["Il re", "La regina", "The fox", "Il mare"][i % 4]} ${i}`);
    const said = await Promise.all(prompts.map((prompt) => text(prompt, 24 + (prompt.length % 5))));
    for (const [i, prompt] of prompts.entries()) expect(said[i]).toBe(await expected(prompt, 24 + (prompt.length % 5)));
  });

  test("more than wait in the queue are refused with 429, and the others have their texts", async () => {
    const said = await Promise.all(Array.from({ length: 40 }, (_, i) => text(`La casa ${i}`, 12)));
    const refused = said.filter((each) => typeof each !== "string");
    expect(refused.length).toBeGreaterThan(0);
    for (const each of refused) expect(each).toMatchObject({ status: 429, type: "rate_limit_error" });
    for (const [i, each] of said.entries())
      if (typeof each === "string") expect(each).toBe(await expected(`La casa ${i}`, 12));
  });

  test("with nobody there the connections end; who comes then does not notice", async () => {
    const before = await tell("SHARD_1", "counts");
    await new Promise((resolve) => setTimeout(resolve, 1200)); // longer than idleMs
    expect(await text("Il re")).toBe(await expected("Il re"));
    expect((await tell("SHARD_1", "counts")).fetches).toBe(before.fetches + 1);
  });

  test("another set of objects in the same isolates waits until this one rests", async () => {
    expect(await text("Il re")).toBe(await expected("Il re"));
    const other = async () => (await model.post("/test/other", body("La regina"))).json();
    expect((await other()).error).toMatchObject({
      code: "isolate_taken",
      message: expect.stringMatching(/isolate is taken/),
    });
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect((await other()).choices[0].text).toBe(await expected("La regina"));
    expect(await text("Il re")).toMatchObject({ status: 503 });
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(await text("Il re")).toBe(await expected("Il re"));
  });

  test("clients of two sets have their texts where one set has the isolates", async () => {
    const prompts = KEYS.map((_, i) => `Il cane ${i}`);
    const said = await Promise.all(
      prompts.map(async (prompt, i) => {
        const headers = { "content-type": "application/json", authorization: `Bearer ${KEYS[i]}`, "x-test-sets": "2" };
        return (await (await model.post("/v1/completions", body(prompt), { headers })).json()).choices?.[0].text;
      }),
    );
    for (const [i, prompt] of prompts.entries()) expect(said[i]).toBe(await expected(prompt));
  });

  test("what the gateway refuses wakes nobody", async () => {
    const before = await tell("EDGE", "counts");
    const init = { headers: { "content-type": "application/json", authorization: "Bearer other" } };
    const wrong = await model.post("/v1/completions", body("a"), init);
    expect([wrong.status, (await wrong.json()).error.code]).toEqual([401, "invalid_api_key"]);
    const large = await model.post("/v1/completions", body("a".repeat(2 ** 20)));
    expect([large.status, (await large.json()).error.code]).toEqual([413, "body_too_large"]);
    expect(await (await fetch(new URL("/health", model.url))).json()).toEqual({ status: "ok" });
    expect(await tell("EDGE", "counts")).toEqual(before);
    expect((await (await fetch(new URL("/v1/models", model.url))).json()).error.code).toBe("invalid_api_key");
  });
});

test("a piece that is damaged or missing is 503 in words; when it is mended all who come at once wait for one load", async () => {
  let piece;
  const prepare = (workers) => {
    const folder = join(workers, "weights", "assets", "model");
    const read = (name) => JSON.parse(readFileSync(join(folder, name), "utf8"));
    const last = read("shards.json").parts[2].pieces.at(-1);
    piece = join(folder, read("manifest.json").pieces[last].file);
  };
  const model = await cluster(MODEL, { flags: FLAGS, entries, prepare });
  const bytes = readFileSync(piece);
  const ask = async () => {
    const response = await model.post("/v1/completions", body("Il re", 8));
    return { status: response.status, ...(await response.json()) };
  };
  const failed = (message) => ({
    status: 503,
    error: { code: "model_unavailable", message: expect.stringMatching(message) },
  });
  writeFileSync(piece, Buffer.from(bytes).fill(bytes[100] ^ 1, 100, 101));
  expect(await ask()).toMatchObject(
    failed(/cannot be loaded: shard 2 failed: piece ".*" has SHA-256 \w{64}, must have \w{64}/),
  );
  rmSync(piece);
  expect(await ask()).toMatchObject(
    failed(/cannot be loaded: shard 2 failed: the asset ".*" cannot be read: HTTP status is \d+/),
  );
  writeFileSync(piece, bytes);
  const fetches = async () => (await (await fetch(new URL("/test/SHARD_2/counts", model.url))).json()).fetches;
  const before = await fetches();
  const answers = await Promise.all(Array.from({ length: 8 }, ask));
  for (const { choices } of answers) expect(choices[0].text).toBe(await expected("Il re", 8));
  expect(await fetches()).toBe(before + 1);
  await model.dispose();
});
