// `zagreus serve` while one client does what it can: templates, schemas and prompts that cost, a hundred at a time, and a model of a mirror
// that is made to hurt. Others must not notice.

import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { finish, start } from "../../support/command";
import { startHub } from "../../support/hub_server";

/** Whether nothing else runs: .ci/run has a step for it. Beside other tests, which take both cores, time says nothing. */
const ALONE = process.env.ZAGREUS_ALONE === "1";
const HEALTH_MS = 100;
/** The 99th percentile of fewer would be the first, which comes behind a hundred new connections. */
const HEALTH_CHECKS = 250;
/** Requests that end while another client waits: what ran, and what ended while request and answer were on their way. */
const TURNS = ALONE ? 2 : 4;
const REQUESTS = 100;
const directory = mkdtempSync(join(tmpdir(), "zagreus-attack-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** Costs as much as the limits of templates allow, when a message says so. */
const TEMPLATE = `{% if messages[0].content == "cost" %}{% set ns = namespace(t="x") %}
{% for i in range(1000) %}{% for j in range(1000) %}{% set ns.t = ns.t ~ messages | tojson %}{{ ns.t | replace("x", "xx") | length }}{% endfor %}{% endfor %}
{% endif %}{{ messages[0].content }}`;
const SCHEMA = {
  type: "object",
  properties: Object.fromEntries(
    Array.from({ length: 200 }, (_, i) => [
      `property${i}`,
      { type: "array", maxItems: 500, items: { type: "string", pattern: "^([a-f]{1,40}|[d-k]{2,60}){3,80}$" } },
    ]),
  ),
};
const ENDLESS = { prompt: "C'era una volta", max_tokens: 400, n: 16, logit_bias: { 8177: -100 } };

interface Answer {
  status: number;
  text: string;
}

/** A request from an address of this machine: each is a client. */
function ask(port: number, client: string, path: string, body?: object): Promise<Answer> & { hangUp(): void } {
  const text = body === undefined ? "" : JSON.stringify(body);
  const asking = request({
    host: "127.0.0.1",
    port,
    path,
    localAddress: client,
    agent: new Agent(),
    method: body ? "POST" : "GET",
    headers: body ? { "content-type": "application/json", "content-length": Buffer.byteLength(text) } : {},
  });
  asking.end(text);
  const answer = (async () => {
    const [response] = await once(asking, "response");
    let text = "";
    for await (const chunk of response) text += chunk;
    return { status: response.statusCode as number, text };
  })();
  answer.catch(() => {});
  asking.on("error", () => {}); // answer rejects
  return Object.assign(answer, { hangUp: () => asking.destroy() });
}

async function serving(args: string[]) {
  const child = start(["serve", "--port", "0", "--json", "-t", "1", ...args]);
  const ended = finish(child);
  const [line] = await Promise.race([once(child.stdout!, "data"), ended.then(({ stderr }) => Promise.reject(stderr))]);
  return { port: Number(new URL(JSON.parse(String(line)).url).port), stop: () => child.kill("SIGKILL") };
}

/** Says "GGUF", and then more of everything than there can be. */
function hostileModel(): Uint8Array {
  const bytes = new Uint8Array(2 ** 20);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x46554747, true);
  view.setUint32(4, 3, true);
  view.setBigUint64(8, 2n ** 40n, true);
  view.setBigUint64(16, 2n ** 40n, true);
  bytes.fill(0xff, 24);
  return bytes;
}

test("under attack, /health answers and another client waits for one turn at most", async () => {
  const template = join(directory, "hostile.jinja");
  writeFileSync(template, TEMPLATE);
  const { port, stop } = await serving(["--template", template]);
  try {
    let finished = 0;
    const attack = Array.from({ length: REQUESTS }, (_, i) => {
      const [path, body] = [
        ["/v1/chat/completions", { messages: [{ role: "user", content: "cost" }] }] as const,
        [
          "/v1/completions",
          { prompt: "a", response_format: { type: "json_schema", json_schema: { schema: SCHEMA } } },
        ] as const,
        ["/v1/completions", ENDLESS] as const,
      ][i % 3]!;
      const answer = ask(port, "127.0.0.2", path, body);
      void answer.then(
        ({ status }) => {
          if (status !== 429) finished++;
        },
        () => {},
      );
      return answer;
    });

    const healthMs: number[] = [];
    let watching = true;
    const watch = (async () => {
      while (watching || (ALONE && healthMs.length < HEALTH_CHECKS)) {
        const begun = performance.now();
        expect((await ask(port, "127.0.0.1", "/health")).status).toBe(200);
        healthMs.push(performance.now() - begun);
        await sleep(10);
      }
    })();
    await sleep(1000);
    for (let i = 0; i < 3; i++) {
      const before = finished;
      const answer = await ask(port, "127.0.0.3", "/v1/completions", { prompt: "a", max_tokens: 1 });
      expect(answer.status).toBe(200);
      expect(finished - before).toBeLessThanOrEqual(TURNS);
    }
    watching = false;
    await watch;
    healthMs.sort((a, b) => a - b);
    const p99 = healthMs[Math.floor(0.99 * healthMs.length)]!;
    console.log(
      `/health, ${healthMs.length} times: median ${healthMs[healthMs.length >> 1]!.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
    );
    if (ALONE) expect(p99).toBeLessThanOrEqual(HEALTH_MS);
    for (const answer of attack) answer.hangUp();
  } finally {
    stop();
  }
});

test("a hostile model of a mirror is refused in a sentence", async () => {
  const commit = "c".repeat(40);
  const mirror = await startHub([
    { name: "evil/model", commit, files: [{ path: "model-Q4_0.gguf", bytes: hostileModel(), lfs: true }] },
  ]);
  try {
    const env = { HF_ENDPOINT: mirror.endpoint, HF_HUB_CACHE: directory };
    const child = start(["serve", "--port", "0", "-m", "hf:evil/model"], env);
    const { code, stderr } = await finish(child);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^zagreus: [^\n]*\n$/)]);
  } finally {
    await mirror.close();
  }
});
