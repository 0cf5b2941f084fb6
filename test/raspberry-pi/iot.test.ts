// examples/iot against a real broker: one request, one answer, whatever happens in between.

import { spawn, spawnSync } from "node:child_process";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { bundledModel, load } from "zagreus-edge";
import { type Asker, end, ROOT, Site, until } from "./mosquitto";

const README = readFileSync(join(ROOT, "examples/iot/README.md"), "utf8");
const [START = "", ASK = "", ASK_IN_JSON = ""] = [...README.matchAll(/```sh\n([\s\S]*?)\n```/g)].map(
  ([, commands]) => commands,
);
const [INSTALL = "", SERVE = "", ...more] = START.split("\n");

let site: Site;
beforeEach(async () => {
  site = await Site.create();
});
afterEach(() => site.close());

const request = (index: number, maxTokens = 24) => ({
  prompt: `C'era una volta ${index}`,
  max_tokens: maxTokens,
  seed: index,
});

/** What a completion says, and how it ended. */
function said(answer = ""): string {
  const { choices, usage } = JSON.parse(answer);
  const [{ text, finish_reason: finishReason }] = choices;
  return JSON.stringify({ text, tokens: usage.completion_tokens, finishReason });
}

/** Of a chat. */
interface ChatAnswer {
  choices: {
    finish_reason: string;
    message: { content: string | null; tool_calls?: { function: { name: string; arguments: string } }[] };
  }[];
  usage: { completion_tokens: number };
}

/** Where the journal has it that a request is answered. */
const reply = (id: string | number) => ({ reply: { topic: `zagreus/test/requests/${id}` } });

/** What the library says to the request. */
const expected = new Map<string, string>();
beforeAll(async () => {
  const model = await load(bundledModel);
  for (let index = 0; index < 120; index++) {
    const { prompt, max_tokens: maxTokens, seed } = request(index);
    const completion = model.complete(prompt, { maxTokens, seed });
    const answer = { text: await completion.text(), tokens: completion.tokens.length };
    expected.set(String(index), JSON.stringify({ ...answer, finishReason: completion.finishReason }));
  }
  model.close();
});

/** Waits for the answers to requests 0 to count - 1, and a while longer: each came once, and is the right one. */
async function eachOnce({ answers }: Asker, count: number, seconds = 60) {
  await until(`${count} answers`, () => answers.size >= count, seconds).catch((error) => {
    throw new Error(`${error.message}: ${answers.size}. ${site.log.slice(-2000)}`, { cause: error });
  });
  await sleep(1500);
  const ids = Array.from({ length: count }, (_, index) => String(index));
  expect([...answers.keys()].sort()).toEqual([...ids].sort());
  for (const id of ids) expect(answers.get(id)!.map(said), id).toEqual([expected.get(id)]);
}

test("starts with two commands, and answers the third", async () => {
  expect(more).toEqual([]);
  const options = {
    cwd: ROOT,
    env: { ...site.environment, ZAGREUS_TEMPLATE: "chatml" },
    shell: true,
    encoding: "utf8",
  } as const;
  const install = spawnSync(INSTALL, options);
  expect(install.status, install.stderr).toBe(0);
  const service = spawn(SERVE, { ...options, detached: true, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  service.stderr.on("data", (data) => {
    log += data;
  });
  try {
    await until("the service is ready", () => log.includes("waiting for"));
    for (const command of [ASK, ASK_IN_JSON]) {
      const asked = spawn(command, { ...options, stdio: ["ignore", "pipe", "inherit"] });
      const answer = await text(asked.stdout);
      if (command === ASK) expect(answer.length).toBeGreaterThan(20);
      else expect(JSON.parse(answer)).toEqual({ city: expect.any(String), rainy: expect.any(Boolean) });
      await until("it ends", () => asked.exitCode !== null);
      expect(asked.exitCode).toBe(0);
    }
  } finally {
    process.kill(-service.pid!, "SIGTERM"); // npm, its shell and the service
    await until("it stops", () => service.exitCode !== null || service.signalCode !== null);
  }
});

test("the asker says in a sentence what is wrong, and ends", async () => {
  const ask = (env: NodeJS.ProcessEnv, request = "Ciao") =>
    spawnSync(process.execPath, ["ask.mjs", request], {
      cwd: join(ROOT, "examples/iot"),
      env: { ...site.environment, ...env },
      encoding: "utf8",
      timeout: 30_000,
    });
  const sentences: [NodeJS.ProcessEnv, RegExp, request?: string][] = [
    [{ ZAGREUS_GROUP: "a/b" }, /^ZAGREUS_GROUP is "a\/b", must be a name without .*\n$/],
    [{}, /^the request is no JSON: .*\n$/, "{"],
    [{}, /^no service ".*" takes requests at .*\n$/],
    [{ MQTT_URL: "127.0.0.1:1883" }, /^MQTT_URL is "127\.0\.0\.1:1883", must be a URL such as .*\n$/],
    [{ MQTT_URL: "mqtt://127.0.0.1:1" }, /^no connection to the broker at 127\.0\.0\.1:1: .*ECONNREFUSED.*\n$/],
    [{ MQTT_CA: "/no/such.pem" }, /^MQTT_CA names a certificate that cannot be read: .*\n$/],
  ];
  for (const [env, sentence, request] of sentences)
    expect(ask(env, request)).toMatchObject({ status: 1, stderr: expect.stringMatching(sentence) });
});

test("a message that is too large does not reach the service", async () => {
  const service = await site.startService();
  const asker = await site.asker();
  const before = memory(service.pid!);
  await asker.ask("large", { prompt: "x".repeat(50_000_000) });
  await asker.ask("0", request(0));
  await until("the next answer", () => asker.answers.has("0"));
  expect(asker.answers.has("large")).toBe(false);
  expect(memory(service.pid!) - before).toBeLessThan(60e6);
});

/** Bytes that a process has had at most. */
function memory(pid: number): number {
  return 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
}

test("answers are the library's; pieces make the text; errors are answers, too", async () => {
  await site.startService();
  const asker = await site.asker();
  await asker.ask("0", { ...request(0), stream: true });
  await eachOnce(asker, 1);
  const pieces = asker.pieces.get("0")!.flatMap(({ choices }) => choices.map(({ text }) => text));
  expect(pieces.join("")).toBe(JSON.parse(asker.answers.get("0")![0]!).choices[0].text);
  const messages = [{ role: "user", content: "Ciao" }];
  const bad: Record<string, [payload: object | string | Buffer, code: string]> = {
    nonsense: ["{", "invalid_json"],
    binary: [Buffer.from([0xff, 0xfe, 0]), "invalid_json"],
    empty: ["", "invalid_json"],
    deep: ["[".repeat(100_000), "invalid_json"],
    list: ["[]", "invalid_value"],
    promptless: [{}, "invalid_value"],
    nothing: ["null", "invalid_value"],
    stream: [{ stream: true, stream_options: 7 }, "invalid_value"],
    value: [{ prompt: "a", max_tokens: -1 }, "invalid_value"],
    token: [{ prompt: [1e9] }, "invalid_value"],
    long: [{ prompt: new Array(2000).fill(1), stream: true }, "context_length_exceeded"],
    untaught: [{ messages }, "no_chat_template"],
    roles: [{ messages: [{ role: "king", content: "Ciao" }] }, "invalid_value"],
    huge: [{ prompt: "Ciao", max_tokens: 200, n: 16, logprobs: 20 }, "answer_too_large"],
  };
  for (const [id, [payload]] of Object.entries(bad)) await asker.ask(id, payload);
  await until("errors", () => asker.answers.size === 1 + Object.keys(bad).length);
  const errors = Object.keys(bad).map((id) => [id, JSON.parse(asker.answers.get(id)![0]!).error]);
  expect(errors).toEqual(
    Object.entries(bad).map(([id, [, code]]) => [id, expect.objectContaining({ code, message: expect.any(String) })]),
  );
  expect(await site.stopService()).toBe(0);
});

test("a chat calls tools and keeps to a schema, in pieces as at once", async () => {
  await site.startService({ ZAGREUS_TEMPLATE: "chatml" });
  const asker = await site.asker();
  const lamp = {
    type: "object",
    properties: { on: { type: "boolean" } },
    required: ["on"],
    additionalProperties: false,
  };
  const schema = { type: "object", properties: { rainy: { type: "boolean" } }, required: ["rainy"] };
  const chat = { messages: [{ role: "user", content: "Accendi la lampada" }], max_tokens: 100, temperature: 0 };
  const tools = [{ type: "function", function: { name: "lamp", parameters: lamp } }];
  const requests: Record<string, object> = {
    tool: { ...chat, tools, tool_choice: "required" },
    schema: { ...chat, response_format: { type: "json_schema", json_schema: { name: "weather", schema } } },
    plain: { ...chat, max_tokens: 12, n: 2, logprobs: true, top_logprobs: 2 },
    text: { prompt: "Ciao", max_tokens: 12, temperature: 0, logprobs: 2 },
  };
  const answered: Record<string, Record<"whole" | "streamed", ChatAnswer>> = {};
  for (const [id, body] of Object.entries(requests)) {
    await asker.ask(id, body);
    await asker.ask(`${id} in pieces`, { ...body, stream: true });
    await until(id, () => asker.answers.has(id) && asker.answers.has(`${id} in pieces`));
    const [whole, streamed] = [id, `${id} in pieces`].map((name) => JSON.parse(asker.answers.get(name)![0]!));
    answered[id] = { whole, streamed };
    const same = { id: "", created: 0, usage: { ...whole.usage, prompt_tokens_details: {} } };
    const callIds = (_: string, value: unknown) =>
      typeof value === "string" ? value.replace(/^call_.*/, "call") : value;
    const comparable = (answer: object) => JSON.parse(JSON.stringify({ ...answer, ...same }), callIds);
    expect(comparable(streamed)).toEqual(comparable(whole));
    expect(streamed.usage.completion_tokens).toBe(whole.usage.completion_tokens);
    expect(asker.pieces.get(`${id} in pieces`)!.length).toBeGreaterThan(2);
  }
  for (const {
    choices: [choice],
  } of Object.values(answered.tool!)) {
    expect(choice).toMatchObject({ finish_reason: "tool_calls", message: { role: "assistant" } });
    expect(choice!.message.tool_calls).toMatchObject([{ type: "function", function: { name: "lamp" } }]);
    expect(JSON.parse(choice!.message.tool_calls![0]!.function.arguments)).toEqual({ on: expect.any(Boolean) });
  }
  for (const {
    choices: [choice],
  } of Object.values(answered.schema!)) {
    expect(choice!.finish_reason).toBe("stop");
    expect(JSON.parse(choice!.message.content!)).toMatchObject({ rainy: expect.any(Boolean) });
  }
});

test("MQTT 5: the answer and its pieces go to the response topic with the correlation data", async () => {
  await site.close();
  site = await Site.create("topic readwrite #\ntopic deny forbidden/#\n");
  await site.startService();
  const asker = await site.asker();
  const client = await site.client();
  const came: { payload: string; kind: string | undefined; correlation: string }[] = [];
  client.on("message", (_, payload, { properties = {} }) => {
    const { userProperties, correlationData } = properties;
    came.push({ payload: String(payload), kind: userProperties?.kind, correlation: String(correlationData) });
  });
  await client.subscribeAsync({ "homes/1/said": { qos: 2 } });
  const ask = (id: string, body: object, responseTopic: string, correlation?: string) => {
    const correlationData = correlation === undefined ? {} : { correlationData: Buffer.from(correlation) };
    const options = { qos: 1, properties: { responseTopic, ...correlationData } } as const;
    return client.publishAsync(`zagreus/test/requests/${id}`, JSON.stringify(body), options);
  };
  // One topic for all requests: then the correlation data tells them apart.
  await ask("same", { ...request(0), stream: true }, "homes/1/said", "zero");
  await ask("same", request(1), "homes/1/said", "one");
  await ask("same", request(1), "homes/1/said", "one");
  await ask("same", request(2), "homes/1/said", "x".repeat(50_000));
  const answers = () => came.filter(({ kind }) => kind === "answer");
  await until("three answers", () => answers().length >= 3);
  expect(answers().map(({ payload, correlation }) => [said(payload), correlation.slice(0, 4)])).toEqual([
    [expected.get("0"), "zero"],
    [expected.get("1"), "one"],
    [expected.get("2"), "xxxx"],
  ]);
  const pieces = came.filter(({ kind, correlation }) => kind === "piece" && correlation === "zero");
  const text = pieces.map(({ payload }) => JSON.parse(payload).choices[0]?.text ?? "").join("");
  expect(text).toBe(JSON.parse(answers()[0]!.payload).choices[0].text);
  // What may not be written to is left to the topic beside the request's.
  await ask("0", request(0), "forbidden/topic");
  await ask("1", request(1), "$SYS/topic");
  await eachOnce(asker, 2);
});

test("devices of a group share its requests; each says whether it is there", async () => {
  const device = (name: string) => {
    const settings = { ZAGREUS_DEVICE: name, ZAGREUS_GROUP: "kitchen", STATE_DIRECTORY: join(site.folder, name) };
    return site.startService(settings);
  };
  const watcher = await site.client();
  const presence: string[] = [];
  watcher.on("message", (topic, payload) => presence.push(`${topic.split("/")[1]} ${payload}`));
  await watcher.subscribeAsync({ "zagreus/+/presence": { qos: 1 } });
  const one = await device("one");
  const two = await device("two");
  await until("both are there", () => presence.includes("one online") && presence.includes("two online"));
  const asker = await site.asker("kitchen");
  await Promise.all(Array.from({ length: 20 }, (_, index) => asker.ask(String(index), request(index))));
  await eachOnce(asker, 20);
  const taken = ["one", "two"].map((name) => readFileSync(join(site.folder, name, "journal.jsonl"), "utf8"));
  for (const journal of taken) expect(journal.match(/"accept"/g)).toHaveLength(10);
  // Killed in the middle: what it had taken waits for it, and for its return.
  for (let index = 20; index < 40; index++) await asker.ask(String(index), request(index));
  await end(one, "SIGKILL");
  await until("its last will", () => presence.at(-1) === "one offline");
  await device("one");
  await until("it is back", () => presence.at(-1) === "one online");
  await eachOnce(asker, 40);
  await end(two, "SIGTERM");
  await until("it is gone", () => presence.at(-1) === "two offline");
  // Stopped, it has left the group.
  for (let index = 40; index < 44; index++) await asker.ask(String(index), request(index));
  await eachOnce(asker, 44);
  expect(presence).toEqual(["one online", "two online", "one offline", "one online", "two offline"]);
});

test("a request that is sent again is answered once, even by the next service", async () => {
  await site.startService();
  const asker = await site.asker();
  for (const id of ["0", "0", "1", "0", "1"]) await asker.ask(id, request(Number(id)));
  await eachOnce(asker, 2);
  await asker.ask("0", request(0));
  expect(await site.stopService()).toBe(0);
  await asker.ask("1", request(1));
  await site.startService();
  await asker.ask("0", request(0));
  await asker.ask("2", request(2));
  await eachOnce(asker, 3);
});

test("a hundred at once: at most 17 wait in the service, the others with the broker", async () => {
  await site.startService();
  const asker = await site.asker();
  await Promise.all(Array.from({ length: 100 }, (_, index) => asker.ask(String(index), request(index))));
  await eachOnce(asker, 100);
  let waiting = 0;
  let most = 0;
  for (const { accept, packet } of site.records() as { accept?: string; packet?: { cmd: string } }[]) {
    if (accept !== undefined) most = Math.max(most, ++waiting);
    if (packet?.cmd === "publish") waiting--;
  }
  expect(waiting).toBe(0);
  expect(most).toBe(17);
});

test("what is asked while the service is away waits for it", async () => {
  await site.startService();
  await site.stopService();
  const asker = await site.asker();
  for (let index = 0; index < 5; index++) await asker.ask(String(index), request(index));
  await site.startService();
  await eachOnce(asker, 5);
});

test("the broker is restarted again and again", async () => {
  await site.startService();
  const asker = await site.asker();
  const asked = Promise.all(
    Array.from({ length: 60 }, (_, index) => asker.ask(String(index), { ...request(index), stream: index % 2 === 0 })),
  );
  for (const pause of [100, 300, 50]) {
    await sleep(pause);
    await site.stopBroker();
    await sleep(pause);
    await site.startBroker();
    await sleep(1200); // the service tries every second
  }
  await asked;
  await eachOnce(asker, 60);
});

test("the broker comes back without a memory: what the service had accepted is answered once", async () => {
  await site.startService();
  const asker = await site.asker();
  await Promise.all(Array.from({ length: 10 }, (_, index) => asker.ask(String(index), request(index))));
  await until("all are accepted", () => site.records().filter(({ accept }) => accept !== undefined).length === 10);
  await site.stopBroker("SIGKILL");
  await site.startBroker();
  await eachOnce(asker, 10);
});

test("the service is killed or stopped at any moment, and started again", async () => {
  await site.startService();
  const asker = await site.asker();
  await Promise.all(Array.from({ length: 60 }, (_, index) => asker.ask(String(index), request(index))));
  for (const pause of [0, 3, 7, 12, 20, 31]) {
    const before = asker.answers.size;
    await until("the next answer", () => asker.answers.size > before || before === 60);
    await sleep(pause);
    await site.stopService(pause % 2 === 0 ? "SIGKILL" : "SIGTERM");
    await site.startService();
  }
  await eachOnce(asker, 60);
});

test("a request at which the service is stopped again and again is not to blame", async () => {
  writeFileSync(
    site.journal,
    `${JSON.stringify({ accept: "0", request: JSON.stringify(request(0, 400)), ...reply(0) })}\n`,
  );
  const asker = await site.asker();
  const attempts = () => site.records().findLast(({ attempt }) => attempt === "0")?.number;
  for (let time = 0; time < 4; time++) {
    site.launchService();
    await until("it begins", () => attempts() === 1);
    await site.stopService();
    expect(attempts()).toBe(0);
  }
  await site.startService();
  await until("the answer", () => asker.answers.size === 1);
  expect(JSON.parse(asker.answers.get("0")![0]!).usage.completion_tokens).toBe(400);
});

test("it is started without a broker, and told to stop while there is none", async () => {
  await site.stopBroker();
  const service = site.launchService();
  await until("it tries", () => site.log.includes("ECONNREFUSED"));
  await sleep(4000); // it tries again
  const away = site.log.split("\n").filter((line) => line.includes("no connection"));
  expect(away).toEqual([
    expect.stringMatching(/^no connection to the broker at 127\.0\.0\.1:\d+: .*ECONNREFUSED.*; trying again$/),
  ]);
  await end(service, "SIGTERM");
  expect(service.exitCode).toBe(0);
  site.launchService();
  await site.startBroker();
  const asker = await site.asker();
  await until("it is there", () => site.log.includes("waiting for"));
  await asker.ask("0", request(0));
  await eachOnce(asker, 1);
});

test("a journal cut short, and a request that it died of three times", async () => {
  const deadly = { accept: "deadly", request: JSON.stringify(request(1)), ...reply("deadly") };
  const open = { accept: "0", request: JSON.stringify(request(0)), ...reply(0) };
  const records = [deadly, { attempt: "deadly", number: 3 }, open];
  writeFileSync(site.journal, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  appendFileSync(site.journal, '{"accept":"half","requ');
  const asker = await site.asker();
  await site.startService();
  expect(site.log).toContain("line 4 is damaged");
  await until("answers", () => asker.answers.size === 2);
  expect(JSON.parse(asker.answers.get("deadly")![0]!).error.code).toBe("gave_up");
  expect(asker.answers.get("0")!.map(said)).toEqual([expected.get("0")]);
});

test("a journal is written anew before it grows long, and remembers", async () => {
  const { Journal } = await import(join(ROOT, "examples/iot/journal.mjs"));
  const journal = new Journal(site.journal);
  const publish = (id: number) => ({ cmd: "publish", messageId: id + 1, payload: "text", ...answering(id) });
  const answering = (id: number) => ({
    properties: { userProperties: { request: String(id) }, correlationData: Buffer.from([id % 256]) },
  });
  const where = { topic: "a/b/requests/0", correlationData: Buffer.from([255]) };
  journal.accept("open", "{}", where);
  for (let id = 0; id < 1300; id++) {
    journal.accept(String(id), "{}", where);
    journal.attempt(String(id), 1);
    journal.put(publish(id));
    if (id < 1299) journal.del({ messageId: id + 1 });
  }
  expect(site.records().length).toBeLessThan(2000);
  for (const same of [journal, new Journal(site.journal)]) {
    expect(same.size).toBe(1);
    expect(same.next()).toEqual({ id: "open", request: "{}", reply: where, attempts: 0 });
    expect(["open", "0", "1299", "1300"].map((id) => same.knows(id))).toEqual([true, true, true, false]);
    expect(await same.createStream().toArray()).toEqual([publish(1299)]);
  }
});

test("systemd takes the unit", () => {
  const unit = join(ROOT, "examples/iot/zagreus-iot.service");
  const { status, stderr, error } = spawnSync("systemd-analyze", ["verify", unit], { encoding: "utf8" });
  expect({ status, stderr, error }).toEqual({ status: 0, stderr: "", error: undefined });
});
