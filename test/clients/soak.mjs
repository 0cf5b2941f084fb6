// Many impatient clients: 2,000 requests from 50 at a time, of which a third disconnects somewhere on the way. Every other answer must be
// the model's own, memory must not grow, and afterwards nothing may be in use. Before come 2,500 more to warm up: so long V8 compiles.
// One JSON object on stdout; exits 1 if anything is wrong.
//
//     npm ci --prefix test/clients && node test/clients/soak.mjs [--requests 2000] [--warm-up 2500] [--clients 50] [--seed 0]

import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { parseArgs } from "node:util";
import { generator } from "../checks/random.mjs";
import { loadAlone, serve, until } from "./server.mjs";

const { values: flags } = parseArgs({
  options: {
    requests: { type: "string", default: "2000" },
    "warm-up": { type: "string", default: "2500" },
    clients: { type: "string", default: "50" },
    seed: { type: "string", default: "0" },
  },
});
const WARM_UP = Number(flags["warm-up"]);
const REQUESTS = Number(flags.requests) + WARM_UP;
const CLIENTS = Number(flags.clients);
/** A small heap, so that garbage that V8 has not cleared away yet is not taken for growth. MiB. */
const NODE_OPTIONS = "--max-semi-space-size=1 --max-old-space-size=40";
/** Who has left may stand in the queue a moment longer. */
const QUEUE = 2 * CLIENTS;
const MAX_GROWTH = 5 * 1024 * 1024;
const MAX_TOKENS = 24;
const KINDS = ["chat", "chat stream", "text", "text stream", "schema", "tool stream"];
const PROMPTS = [
  "C'era una volta un re",
  "Nel mezzo del cammin",
  "La regina disse:",
  "Il mare era",
  "Once upon a time",
];
const SEEDS = 8;
const schema = {
  type: "object",
  properties: { a: { enum: ["x", "y"] }, b: { type: "boolean" } },
  required: ["a", "b"],
  additionalProperties: false,
};
const tools = [{ type: "function", function: { name: "pick", parameters: schema } }];

/** The n-th request of a seed, always the same. */
function plan(n) {
  const random = generator(Number(flags.seed) + n);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const kind = pick(KINDS);
  const prompt = pick(PROMPTS);
  const seed = Math.floor(random() * SEEDS);
  const text = kind.startsWith("text");
  const stream = kind.endsWith("stream");
  const body = {
    stream,
    seed,
    temperature: 0.9,
    max_tokens: kind.startsWith("tool") ? 3 * MAX_TOKENS : MAX_TOKENS,
    ...(text ? { prompt } : { messages: [{ role: "user", content: prompt }] }),
    ...(kind === "schema" && { response_format: { type: "json_schema", json_schema: { name: "a", schema } } }),
    ...(kind.startsWith("tool") && { tools, tool_choice: "required", parallel_tool_calls: false }),
  };
  const leaves = random() < 1 / 3 ? { after: pick(["body", "time", "chunks"]), point: random() } : undefined;
  return { path: text ? "/v1/completions" : "/v1/chat/completions", body, stream, leaves };
}

const server = await serve(["--max-queue", String(QUEUE), "--cache-budget", "4"], { env: { NODE_OPTIONS } });
const alone = await loadAlone();
const known = new Map();

/** What the model alone answers: text, or calls as JSON. */
function expected({ body }) {
  const key = JSON.stringify({ ...body, stream: false });
  if (!known.has(key)) known.set(key, answer(body));
  return known.get(key);
}

async function answer({ prompt, messages, seed, temperature, max_tokens: maxTokens, tool_choice, ...body }) {
  const options = { seed, temperature, maxTokens };
  if (prompt) return alone.complete(prompt, options).text();
  const format = body.response_format && { responseFormat: { type: "json_schema", schema } };
  const calling = body.tools && { tools, toolChoice: tool_choice, parallelToolCalls: false };
  const message = await alone.chat(messages, { ...options, ...format, ...calling }).message();
  return shown(message);
}

const shown = ({ content, tool_calls: calls }) =>
  calls ? JSON.stringify(calls.map((call) => call.function)) : (content ?? "");

/** Asks; undefined when the answer was not waited for. */
async function ask(planned, agent) {
  const answer = await send(planned, agent);
  if (answer === undefined) return undefined;
  const { status, text } = answer;
  if (status !== 200) throw new Error(`${status}: ${text}`);
  return planned.stream ? joined(text) : whole(JSON.parse(text));
}

/** Status and text of the answer; undefined when it was left on the way. */
function send({ path, body, leaves }, agent) {
  return new Promise((resolve, reject) => {
    const bytes = Buffer.from(JSON.stringify({ model: server.name, ...body }));
    const headers = { "content-type": "application/json", "content-length": bytes.length };
    const call = request(server.url + path, { method: "POST", agent, headers });
    let left = false;
    const leave = () => {
      left = true;
      call.destroy();
      resolve(undefined);
    };
    call.on("error", (error) => left || reject(error));
    call.on("response", (response) => {
      const chunks = [];
      const most = leaves?.after === "chunks" ? leaves.point * MAX_TOKENS : Number.POSITIVE_INFINITY;
      response.on("error", (error) => left || reject(error));
      response.on("data", (chunk) => {
        chunks.push(chunk);
        if (chunks.length > most) leave();
      });
      response.on("end", () => {
        if (!left) resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() });
      });
    });
    if (leaves?.after === "body") {
      call.write(bytes.subarray(0, Math.floor(leaves.point * bytes.length)), leave);
      return;
    }
    call.end(bytes);
    if (leaves?.after === "time") setTimeout(leave, leaves.point * 400);
  });
}

const whole = ({ choices: [{ text, message }] }) => text ?? shown(message);

/** The answer that the events of a stream make. */
function joined(events) {
  const lines = events.split("\n").filter((line) => line.startsWith("data: "));
  if (lines.pop() !== "data: [DONE]") throw new Error(`a stream without its end: ${events.slice(-200)}`);
  const choices = lines.map((line) => JSON.parse(line.slice("data: ".length)).choices[0]);
  if (!choices.at(-1).finish_reason) throw new Error("a stream without a finish reason");
  const calls = [];
  let text = "";
  for (const { text: more, delta } of choices) {
    text += more ?? delta.content ?? "";
    for (const { index, function: part } of delta?.tool_calls ?? []) {
      calls[index] ??= { name: part.name, arguments: "" };
      calls[index].arguments += part.arguments ?? "";
    }
  }
  return calls.length > 0 ? JSON.stringify(calls) : text;
}

const memory = () => 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))[1]);

/** Middle value, because collections of garbage make waves. */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

const report = { requests: REQUESTS, clients: CLIENTS, right: 0, left: 0, wrong: [] };
const samples = [];
let next = 0;
const begun = Date.now();
const client = async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  while (next < REQUESTS) {
    const n = next++;
    const planned = plan(n);
    try {
      const text = await ask(planned, agent);
      if (text === undefined) report.left++;
      else if (text === (await expected(planned))) report.right++;
      else report.wrong.push({ n, text, expected: await expected(planned) });
    } catch (error) {
      report.wrong.push({ n, error: error.message });
    }
    samples.push(memory());
  }
  agent.destroy();
};
await Promise.all(Array.from({ length: CLIENTS }, client));

const idle = async () => {
  const [busy, waiting] = await Promise.all(["zagreus_requests_running", "zagreus_queue_waiting"].map(server.metric));
  return busy + waiting === 0;
};
await until(idle, "nothing is in use").catch((error) => report.wrong.push({ error: error.message }));
report.openRequests = (await server.metric("zagreus_requests_open")) - 1; // its own
report.seconds = (Date.now() - begun) / 1000;
const warm = samples.slice(WARM_UP);
report.rssAfterWarmUp = median(warm.slice(0, warm.length >> 2));
report.rssAtTheEnd = median(warm.slice(-(warm.length >> 2)));
report.rssGrowth = report.rssAtTheEnd - report.rssAfterWarmUp;
const last = plan(0);
report.stillRight = (await ask({ ...last, leaves: undefined })) === (await expected(last));
report.exitCode = await server.stop();
alone.close();

const failures = report.wrong.length;
report.wrong = report.wrong.slice(0, 5);
process.stdout.write(`${JSON.stringify({ ...report, failures }, undefined, 2)}\n`);
const flat = report.rssGrowth <= MAX_GROWTH;
const fine = failures === 0 && flat && report.openRequests === 0 && report.stillRight && report.exitCode === 0;
process.exitCode = fine && report.left > REQUESTS / 5 ? 0 : 1;
