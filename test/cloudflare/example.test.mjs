// examples/edge-function, started as its README says, and the Workers of a model in parts as docs/cloudflare.md says.

import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { here } from "./workerd.mjs";

const ROOT = here("../..");
const [install, start, curl, startR2] = [
  ...readFileSync(here("../../examples/edge-function/README.md"), "utf8").matchAll(/^```sh\n(.*?)^```/gms),
].flatMap(([, block]) => block.trim().split("\n"));
const address = /http:\S+(?=\/)/.exec(curl)[0];

/** Runs a command that serves, until it does. */
async function serve(command, cwd = ROOT) {
  const env = { ...process.env, CI: "true", WRANGLER_SEND_METRICS: "false" };
  const child = spawn("sh", ["-c", command], { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  await new Promise((resolve, reject) => {
    const read = (text) => {
      output += text;
      if (output.includes(`Ready on ${new URL(address).origin}`)) resolve();
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("exit", () => reject(new Error(`${command} ended:\n${output}`)));
  });
  return async (signal = "SIGTERM") => {
    process.kill(-child.pid, signal); // its whole process group
    if (child.exitCode === null) await once(child, "exit");
  };
}

/** The events of a body. */
const events = (body) =>
  body
    .trim()
    .split("\n\n")
    .map((event) => /^event: (\w+)\ndata: (.*)$/.exec(event))
    .map(([, event, data]) => ({ event, data: JSON.parse(data) }));
const textOf = (list) => list.flatMap(({ event, data }) => (event === "text" ? data : [])).join("");
const post = (name, body, init = {}) => fetch(`${address}/${name}`, { method: "POST", body, ...init });
const say = async (name, body) => events(await (await post(name, body)).text());

let stop;
beforeAll(async () => {
  execFileSync("sh", ["-c", install], { cwd: ROOT, stdio: "ignore" });
  stop = await serve(start);
}, 180_000);
afterAll(() => stop?.());

test("the README's curl", () => {
  const answer = events(execFileSync("sh", ["-c", curl], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  expect(textOf(answer).length).toBeGreaterThan(20);
  expect(answer.at(-1)).toMatchObject({ event: "end", data: { finishReason: expect.any(String) } });
});

test("a conversation goes on, even in another process", async () => {
  const name = randomUUID();
  const first = (await say(name, "C'era una volta")).at(-1).data;
  expect(first.usage.prefilledTokens).toBe(first.usage.promptTokens - first.usage.reusedTokens);
  await stop();
  stop = await serve(start);
  const { usage } = (await say(name, " Poi")).at(-1).data;
  const said = first.usage.promptTokens + first.usage.completionTokens;
  expect(usage.promptTokens).toBeGreaterThan(said);
  expect(usage.reusedTokens).toBeGreaterThanOrEqual(said - 1);
});

test("a process that is killed while it answers loses this answer only", async () => {
  const name = randomUUID();
  const first = (await say(name, "C'era una volta")).at(-1).data;
  const answer = await post(name, " Poi");
  await answer.body.getReader().read();
  await stop("SIGKILL");
  stop = await serve(start);
  const { usage } = (await say(name, " Infine")).at(-1).data;
  const said = first.usage.promptTokens + first.usage.completionTokens;
  expect(usage.promptTokens).toBeGreaterThan(said);
  expect(usage.reusedTokens).toBeGreaterThanOrEqual(said - 1);
});

test("two requests at once to one conversation, and to two", async () => {
  const name = randomUUID();
  const answers = await Promise.all([say(name, "C'era una volta"), say(name, " Poi"), say(randomUUID(), "Once")]);
  const ends = answers.map((answer) => answer.at(-1));
  expect(ends.map(({ event }) => event)).toEqual(["end", "end", "end"]);
  const [first, second] = ends.slice(0, 2).map(({ data }) => data.usage);
  const [early, late] = first.promptTokens < second.promptTokens ? [first, second] : [second, first];
  expect(late.promptTokens).toBeGreaterThan(early.promptTokens + early.completionTokens);
});

test("a reader who leaves early loses nothing and holds up nobody", async () => {
  const name = randomUUID();
  const controller = new AbortController();
  const response = await post(name, "C'era una volta", { signal: controller.signal });
  const [{ data }] = events(new TextDecoder().decode((await response.body.getReader().read()).value));
  expect(data).toEqual(expect.any(String));
  controller.abort();
  const { event, data: end } = (await say(name, " Poi")).at(-1);
  expect(event).toBe("end");
  expect(end.usage.reusedTokens).toBeGreaterThan(4);
});

test("a conversation that is longer than the context ends with a typed error, and what was said stays", async () => {
  const name = randomUUID();
  await say(name, "C'era una volta");
  const answer = await say(name, "a b c d e f g h ".repeat(500));
  expect(answer).toEqual([
    { event: "error", data: { code: "CONTEXT_OVERFLOW", message: expect.stringContaining("do not fit") } },
  ]);
  expect((await say(name, " Poi")).at(-1).event).toBe("end");
});

test("what is no conversation", async () => {
  expect((await fetch(new URL("/", address))).status).toBe(404);
  expect((await fetch(new URL("/model/manifest.json", address))).status).toBe(404); // the weights are not public
  expect((await fetch(`${address}/name`)).status).toBe(405);
  expect((await post("name", "a".repeat(20_000))).status).toBe(413);
});

test("weights from R2", async () => {
  const name = randomUUID();
  const before = textOf(await say(name, "C'era una volta"));
  expect(before.length).toBeGreaterThan(20);
  await stop();
  stop = await serve(startR2);
  expect((await say(name, " Poi")).at(-1).data.usage.reusedTokens).toBeGreaterThan(20); // the same model, so the same snapshot
});

test("the package as published is all that its bundle needs", () => {
  const folder = mkdtempSync(join(tmpdir(), "zagreus-bundle-"));
  const run = (command, cwd) =>
    execFileSync("sh", ["-c", command], { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const example = here("../../examples/edge-function");
  const [{ filename }] = JSON.parse(run(`npm pack --json --ignore-scripts --pack-destination ${folder}`, ROOT));
  const installed = join(folder, "node_modules/zagreus-edge");
  mkdirSync(installed, { recursive: true });
  run(`tar -xzf ${filename} --strip-components 1 -C ${installed}`, folder);
  for (const file of ["src", "wrangler.r2.jsonc"]) cpSync(join(example, file), join(folder, file), { recursive: true });
  run(`${example}/node_modules/.bin/wrangler deploy --dry-run --outdir out -c wrangler.r2.jsonc`, folder);
  const made = readdirSync(join(folder, "out"));
  expect(made).toContain("worker.js");
  expect(made.filter((file) => file.endsWith(".wasm"))).toHaveLength(4);
  const bytes = made.filter((file) => !file.endsWith(".map")).map((file) => statSync(join(folder, "out", file)).size);
  expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(592 * 1024);
  rmSync(folder, { recursive: true });
});

test("its types hold", () => {
  execFileSync("npm", ["run", "-s", "typecheck", "--prefix", "examples/edge-function"], {
    cwd: ROOT,
    stdio: "inherit",
  });
});

test("a model in parts, started as docs/cloudflare.md says", async () => {
  const [cut, ask] = [...readFileSync(here("../../docs/cloudflare.md"), "utf8").matchAll(/^```sh\n(.*?)^```/gms)].map(
    ([, block]) => block.trim(),
  );
  const [shard, enter, start] = cut.split("\n");
  const folder = mkdtempSync(join(tmpdir(), "zagreus-parts-"));
  const run = (command) =>
    execFileSync("sh", ["-c", command], { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const nano = `${here("../../host/models/zagreus-nano-Q8_0.gguf")} --context 256 --shards 3`;
  run(shard.replace("npx zagreus", `node ${here("../../dist/cli.js")}`).replace(/\S+\.gguf/, nano));
  const workers = join(folder, /cd (\S+) &&/.exec(enter)[1]);
  // Instead of npm install
  const packages = join(workers, "node_modules");
  mkdirSync(packages);
  symlinkSync(here("../.."), join(packages, "zagreus-edge"));
  for (const name of ["wrangler", ".bin"])
    symlinkSync(here(`../../examples/edge-function/node_modules/${name}`), join(packages, name));
  await stop();
  stop = await serve(start.replace(/ +#.*/, ""), workers);
  const answer = run(ask);
  expect(answer).toContain('"object":"text_completion"');
  expect(answer.trim().endsWith("data: [DONE]")).toBe(true);
  expect((await fetch(new URL("/model/manifest.json", address))).status).toBe(401); // the weights are not public
  await stop();
  stop = undefined;
  rmSync(folder, { recursive: true });
});
