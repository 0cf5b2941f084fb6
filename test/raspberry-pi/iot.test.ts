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
const [START = "", ASK = ""] = [...README.matchAll(/```sh\n([\s\S]*?)\n```/g)].map(([, commands]) => commands);
const [INSTALL = "", SERVE = "", ...more] = START.split("\n");

let site: Site;
beforeEach(async () => {
  site = await Site.create();
});
afterEach(() => site.close());

const request = (index: number, maxTokens = 24) => ({ prompt: `C'era una volta ${index}`, maxTokens, seed: index });

/** What the library says to the request. */
const expected = new Map<string, string>();
beforeAll(async () => {
  const model = await load(bundledModel);
  for (let index = 0; index < 120; index++) {
    const { prompt, ...options } = request(index);
    const completion = model.complete(prompt, options);
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
  for (const id of ids) expect(answers.get(id), id).toEqual([expected.get(id)]);
}

test("starts with two commands, and answers the third", async () => {
  expect(more).toEqual([]);
  const options = { cwd: ROOT, env: site.environment, shell: true, encoding: "utf8" } as const;
  const install = spawnSync(INSTALL, options);
  expect(install.status, install.stderr).toBe(0);
  const service = spawn(SERVE, { ...options, detached: true, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  service.stderr.on("data", (data) => {
    log += data;
  });
  try {
    await until("the service is ready", () => log.includes("waiting for"));
    const asked = spawn(ASK, { ...options, stdio: ["ignore", "pipe", "inherit"] });
    const answer = await text(asked.stdout);
    expect(answer.length).toBeGreaterThan(20);
    await until("it ends", () => asked.exitCode !== null);
    expect(asked.exitCode).toBe(0);
  } finally {
    process.kill(-service.pid!, "SIGTERM"); // npm, its shell and the service
    await until("it stops", () => service.exitCode !== null || service.signalCode !== null);
  }
});

test("the asker says in a sentence what is wrong, and ends", async () => {
  const ask = (env: NodeJS.ProcessEnv) =>
    spawnSync(process.execPath, ["ask.mjs", "Ciao"], {
      cwd: join(ROOT, "examples/iot"),
      env: { ...site.environment, ...env },
      encoding: "utf8",
      timeout: 30_000,
    });
  const sentences: [NodeJS.ProcessEnv, RegExp][] = [
    [{}, /^no service ".*" takes requests at .*\n$/],
    [{ MQTT_URL: "127.0.0.1:1883" }, /^MQTT_URL is "127\.0\.0\.1:1883", must be a URL such as .*\n$/],
    [{ MQTT_URL: "mqtt://127.0.0.1:1" }, /^no connection to the broker at 127\.0\.0\.1:1: .*ECONNREFUSED.*\n$/],
    [{ MQTT_CA: "/no/such.pem" }, /^MQTT_CA names a certificate that cannot be read: .*\n$/],
  ];
  for (const [env, sentence] of sentences)
    expect(ask(env)).toMatchObject({ status: 1, stderr: expect.stringMatching(sentence) });
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
  expect(asker.pieces.get("0")).toBe(JSON.parse(asker.answers.get("0")![0]!).text);
  const bad = {
    nonsense: "{",
    list: "[]",
    promptless: {},
    option: { prompt: "a", temprature: 1 },
    value: { prompt: "a", maxTokens: -1 },
    token: { prompt: [1e9] },
    long: { prompt: new Array(2000).fill(1) },
  };
  for (const [id, payload] of Object.entries(bad)) await asker.ask(id, payload);
  await until("errors", () => asker.answers.size === 1 + Object.keys(bad).length);
  const codes = Object.keys(bad).map((id) => JSON.parse(asker.answers.get(id)![0]!).error.code);
  expect(codes).toEqual([...new Array(5).fill("INVALID_OPTION"), "BAD_TOKEN", "CONTEXT_OVERFLOW"]);
  expect(await site.stopService()).toBe(0);
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
  const asked = Promise.all(Array.from({ length: 60 }, (_, index) => asker.ask(String(index), request(index))));
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
  writeFileSync(site.journal, `${JSON.stringify({ accept: "0", request: JSON.stringify(request(0, 400)) })}\n`);
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
  expect(JSON.parse(asker.answers.get("0")![0]!).tokens).toBe(400);
});

test("it is started without a broker, and told to stop while there is none", async () => {
  await site.stopBroker();
  const service = site.launchService();
  await until("it tries", () => site.log.includes("ECONNREFUSED"));
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
  const deadly = { accept: "deadly", request: JSON.stringify(request(1)) };
  const open = { accept: "0", request: JSON.stringify(request(0)) };
  const records = [deadly, { attempt: "deadly", number: 3 }, open];
  writeFileSync(site.journal, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  appendFileSync(site.journal, '{"accept":"half","requ');
  const asker = await site.asker();
  await site.startService();
  expect(site.log).toContain("line 4 is damaged");
  await until("answers", () => asker.answers.size === 2);
  expect(JSON.parse(asker.answers.get("deadly")![0]!).error.code).toBe("GAVE_UP");
  expect(asker.answers.get("0")).toEqual([expected.get("0")]);
});

test("a journal is written anew before it grows long, and remembers", async () => {
  const { Journal } = await import(join(ROOT, "examples/iot/journal.mjs"));
  const journal = new Journal(site.journal);
  const publish = (id: number) => ({ cmd: "publish", messageId: id + 1, topic: `a/b/answers/${id}`, payload: "text" });
  journal.accept("open", "{}");
  for (let id = 0; id < 1300; id++) {
    journal.accept(String(id), "{}");
    journal.attempt(String(id), 1);
    journal.put(publish(id));
    if (id < 1299) journal.del({ messageId: id + 1 });
  }
  expect(site.records().length).toBeLessThan(2000);
  for (const same of [journal, new Journal(site.journal)]) {
    expect(same.size).toBe(1);
    expect(same.next()).toEqual({ id: "open", request: "{}", attempts: 0 });
    expect(["open", "0", "1299", "1300"].map((id) => same.knows(id))).toEqual([true, true, true, false]);
    expect(await same.createStream().toArray()).toEqual([publish(1299)]);
  }
});

test("systemd takes the unit", () => {
  const unit = join(ROOT, "examples/iot/zagreus-iot.service");
  const { status, stderr, error } = spawnSync("systemd-analyze", ["verify", unit], { encoding: "utf8" });
  expect({ status, stderr, error }).toEqual({ status: 0, stderr: "", error: undefined });
});
