// Nobody starves: clients of different appetites at one server for SECONDS, with prompts of 8 to 2,000 tokens, several at once, batches of
// embeddings, conversations, and people who leave. Every client must get its share, every wait must be bounded in passes, and what is held
// must be the same at the end as after a quarter, to the byte, and nothing when all have gone.
// One JSON object on stdout; exits 1 if anything is wrong.
//
//     node test/checks/crowd.mjs [--seconds 30] [--seed 0]          10 minutes: --seconds 600

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { generator } from "./random.mjs";

const { values: flags } = parseArgs({
  options: { seconds: { type: "string", default: "30" }, seed: { type: "string", default: "0" } },
});
const SECONDS = Number(flags.seconds);
setFlagsFromString("--expose-gc");
const collect = /** @type {() => void} */ (runInNewContext("gc"));

/** @type {WebAssembly.Memory[]} */
const memories = [];
const { instantiate } = WebAssembly;
Object.assign(WebAssembly, {
  instantiate: async (/** @type {[WebAssembly.Module, WebAssembly.Imports]} */ ...given) => {
    const result = await instantiate(...given);
    const instance = "instance" in result ? result.instance : result;
    if (instance.exports.memory instanceof WebAssembly.Memory) memories.push(instance.exports.memory);
    return result;
  },
});
const { bundledModel, load } = await import("zagreus-edge");
const { createServer } = await import("zagreus-edge/server");

const LONGEST = 2000;
const MOST_TOKENS = 300;
const CONTEXT = 2304;
/** Rows of prompts in a pass that others wait for (host/core/engine/batch/scheduler.ts). */
const CROWDED_ROWS = 32;
/** zagreus-nano, whose file says 512 positions: it need not make sense of more. */
function longNano() {
  const bytes = readFileSync(bundledModel);
  const key = "llama.context_length";
  const value = bytes.indexOf(key) + key.length + 4; // behind its type
  bytes.writeUInt32LE(CONTEXT, value);
  return new Uint8Array(bytes);
}
/** Room for two of the longest texts: pages are short, and texts have to give way. */
const OPTIONS = { cacheBudget: 3 * 2 ** 20, threads: 1 };
const model = await load(longNano(), OPTIONS);
const { vocabulary, sequences, cacheLength, tokenizer } = model.info;
/** @type {string[]} */
const wrong = [];
const server = createServer(model, {
  maxQueue: 1000,
  maxQueueTokens: 10 ** 7,
  onError: (error) => wrong.push(String(error)),
});
const logit_bias = Object.fromEntries(tokenizer.end.map((end) => [end, -100]));

/** Who asks for what: `atOnce` requests all the time, prompts of `tokens`, `pause` ms between two of them. */
const CLIENTS = {
  one: { atOnce: 1, tokens: [8, LONGEST], pause: 0 },
  four: { atOnce: 4, tokens: [8, LONGEST], pause: 0 },
  thirty: { atOnce: 30, tokens: [8, LONGEST], pause: 0 },
  short: { atOnce: 1, tokens: [8, 64], pause: 0 },
  visitor: { atOnce: 1, tokens: [8, 256], pause: 500 },
  embedder: { atOnce: 1, tokens: [8, 200], pause: 0 },
};
/** @typedef {keyof typeof CLIENTS} Name */

/** What a client has got: rows that were run for it, and its longest waits in passes. */
const got =
  /** @type {Record<Name, {requests: number, left: number, rows: number, firstToken: number, nextToken: number}>} */ (
    Object.fromEntries(
      Object.keys(CLIENTS).map((name) => [name, { requests: 0, left: 0, rows: 0, firstToken: 0, nextToken: 0 }]),
    )
  );
const COLON = 0x3a;
const passes = () => model.stats().passes;

/** @param {Name} name @param {string} path @param {object} body @param {AbortSignal} [signal] */
function post(name, path, body, signal) {
  const headers = { "content-type": "application/json" };
  const request = new Request(`http://server${path}`, { method: "POST", headers, body: JSON.stringify(body), signal });
  return server.fetch(request, { client: name });
}

/** @param {Name} name @param {() => number} random */
async function ask(name, random) {
  const { tokens: range } = CLIENTS[name];
  const [least, most] = /** @type {[number, number]} */ (range);
  const length = Math.round(least * (most / least) ** random()); // as many of 8 to 80 as of 200 to 2,000
  const mine = got[name];
  mine.requests++;
  const prompt = Array.from({ length }, () => 300 + Math.floor(random() * (vocabulary - 600)));
  if (name === "embedder") {
    const input = [0, 1, 2, 3].map((i) => model.detokenize(prompt.slice((i * length) >> 2)));
    const arrived = passes();
    const answer = await post(name, "/v1/embeddings", { input });
    mine.firstToken = Math.max(mine.firstToken, passes() - arrived);
    const { usage, error } = await answer.json();
    if (answer.status !== 200) return void wrong.push(JSON.stringify(error));
    mine.rows += usage.prompt_tokens;
    return;
  }
  const arrived = passes();
  const controller = new AbortController();
  const leaves = random() < 0.2 ? Math.floor(random() * 20) : -1;
  const patience = random() < 0.05 ? setTimeout(() => controller.abort(), random() * 200) : undefined;
  const body = {
    prompt,
    max_tokens: Math.round(4 * (MOST_TOKENS / 4) ** random()),
    logit_bias,
    seed: 1,
    stream: true,
    stream_options: { include_usage: true },
  };
  try {
    await read(mine, arrived, await post(name, "/v1/completions", body, controller.signal), controller, leaves);
  } catch (error) {
    if (!controller.signal.aborted) wrong.push(`${name}: ${error}`);
  } finally {
    clearTimeout(patience);
  }
  if (controller.signal.aborted) mine.left++;
}

/** @param {(typeof got)[Name]} mine @param {number} arrived @param {Response} answer @param {AbortController} controller @param {number} leaves */
async function read(mine, arrived, answer, controller, leaves) {
  let last = arrived;
  let events = 0;
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of /** @type {AsyncIterable<Uint8Array>} */ (answer.body)) {
    if (bytes[0] === COLON) continue; // still waiting
    const now = passes();
    if (events === 0) mine.firstToken = Math.max(mine.firstToken, now - last);
    else mine.nextToken = Math.max(mine.nextToken, now - last);
    last = now;
    text += decoder.decode(bytes, { stream: true });
    if (events++ === leaves) controller.abort();
  }
  const usage = /"usage":(\{.*?\}\})/.exec(text.slice(text.lastIndexOf('"usage":{')))?.[1];
  if (usage === undefined) {
    if (!controller.signal.aborted) wrong.push(text.slice(-300));
    return;
  }
  const { prompt_tokens, completion_tokens, prompt_tokens_details } = JSON.parse(usage);
  mine.rows += prompt_tokens - prompt_tokens_details.cached_tokens + completion_tokens;
}

/** A request after the other until it is time. @param {Name} name @param {number} which @param {number} end */
async function visit(name, which, end) {
  const random = generator(1000 * Number(flags.seed) + 31 * Object.keys(CLIENTS).indexOf(name) + which);
  while (performance.now() < end) {
    await ask(name, random);
    const { pause } = CLIENTS[name];
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** How much longer a hundred passes take than those of a model that has just been loaded: CPU time, the best of some, in turns. */
async function slowdown() {
  const fresh = await load(longNano(), OPTIONS);
  const best = [model, fresh].map(() => Number.POSITIVE_INFINITY);
  const logitBias = new Map(tokenizer.end.map((end) => [end, Number.NEGATIVE_INFINITY]));
  for (let i = 0; i < 20; i++) {
    const before = process.cpuUsage();
    await [model, fresh][i % 2]?.complete([1, 2, 3], { maxTokens: 100, temperature: 0, logitBias }).text();
    const { user, system } = process.cpuUsage(before);
    best[i % 2] = Math.min(best[i % 2] ?? 0, (user + system) / 1000);
  }
  fresh.close();
  return (best[0] ?? 0) / (best[1] ?? 1);
}

/** What is held, to the byte. */
function held() {
  collect();
  const { cache } = model.stats();
  return {
    wasmBytes: memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0),
    positions: cache.used + cache.kept + cache.free,
  };
}
async function gauges() {
  const text = await (await server.fetch(new Request("http://server/metrics"))).text();
  const value = (/** @type {string} */ name) => Number(new RegExp(`^zagreus_${name}\\S* (\\S+)$`, "m").exec(text)?.[1]);
  return {
    open: value("requests_open") - 1, // its own
    waiting: value("queue_waiting"),
    waitingTokens: value("queue_prompt_tokens"),
    running: value("requests_running"),
    used: value('kv_cache_positions\\{[^}]*state="used"'),
  };
}

const end = performance.now() + 1000 * SECONDS;
const visits = Object.entries(CLIENTS).flatMap(([name, { atOnce }]) =>
  Array.from({ length: atOnce }, (_, i) => visit(/** @type {Name} */ (name), i, end)),
);
await new Promise((resolve) => setTimeout(resolve, 250 * SECONDS));
const quarter = { ...held(), heap: process.memoryUsage().heapUsed };
await Promise.all(visits);
const { passes: total, preemptions, recomputedTokens } = model.stats();
const atTheEnd = await gauges();
const final = { ...held(), heap: process.memoryUsage().heapUsed };
const stepRatio = await slowdown();
model.close();

/** Passes that a request takes if all clients share what there is, each of them with one request at a time. */
const TAKES = (LONGEST * Object.keys(CLIENTS).length) / CROWDED_ROWS + MOST_TOKENS;
for (const [name, { atOnce }] of Object.entries(CLIENTS)) {
  const { firstToken, nextToken, rows } = got[/** @type {Name} */ (name)];
  if (rows === 0) wrong.push(`${name} got nothing`);
  if (firstToken > TAKES * atOnce) wrong.push(`${name} waited ${firstToken} passes for a first token`);
  if (nextToken > 2 * TAKES) wrong.push(`${name} waited ${nextToken} passes between two tokens`);
}
const share = (/** @type {Name} */ name) => got[name].rows / CLIENTS[name].atOnce;
if (share("one") < 0.8 * share("four") || share("four") < 0.8 * share("thirty"))
  wrong.push("who asks for more gets more of each");
if (final.wasmBytes !== quarter.wasmBytes || final.positions !== quarter.positions) wrong.push("memory has grown");
if (final.heap > quarter.heap + 2 ** 20) wrong.push("JavaScript's memory has grown");
if (Object.values(atTheEnd).some((value) => value !== 0)) wrong.push("something is held at the end");
if (stepRatio > 1.3) wrong.push("passes have become slower");
if (total > 5000 && preemptions === 0) wrong.push("nobody had to give way");

const report = {
  seconds: SECONDS,
  passes: total,
  preemptions,
  recomputedTokens,
  sequences,
  cacheLength,
  got,
  bound: TAKES,
};
const rest = { quarter, final, atTheEnd, stepRatio, failures: wrong.length, wrong: wrong.slice(0, 5) };
process.stdout.write(`${JSON.stringify({ ...report, ...rest }, undefined, 2)}\n`);
process.exitCode = wrong.length === 0 ? 0 : 1;
