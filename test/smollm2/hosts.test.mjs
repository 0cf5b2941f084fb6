// SmolLM2 in every host: replies, hashes, snapshots, JSON and calls are the same in all of them, and llama.cpp's as far as it is sure.

import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { load } from "zagreus-edge";
import { browser, serve } from "../browser/harness.mjs";
import { launch } from "../chat/harness.mjs";
import { VERSION, workerd } from "../cloudflare/workerd.mjs";
import { installPackage, output, RUNTIMES } from "../runtimes/installed.mjs";
import { json, ROOT, wasi, wasmtime } from "../wasi/harness";
import { CHATS, FEW_CHATS, TEXTS } from "./goldens.mjs";
import { BYTES, smollm2 } from "./model.mjs";
import { QUESTIONS, sha256 } from "./suite.mjs";

let file;
/** What this process says, for hosts without a library. */
const expected = { allTexts: TEXTS.map(({ text }) => text).join("\n") };
beforeAll(async () => {
  file = await smollm2();
  const model = await load(file, { contextLength: 64, build: "simd" });
  expected.allIds = model.tokenize(expected.allTexts);
  const tokens = model.tokenize(QUESTIONS.story);
  expected.tokens = tokens.join();
  expected.hash = await sha256(await model.logits(tokens));
  expected.text = await model.complete(tokens, { maxTokens: 24, temperature: 0, repetitionPenalty: 1 }).text();
  model.close();
});

/** Reports by host. */
const reports = [];
afterAll(() => {
  console.log("| host | build | arena, MB | load, ms | tokens/s | guessed |\n| --- | --- | --- | --- | --- | --- |");
  for (const { runtime, build, threads, arena, loadMs, tokensPerSecond, guessed } of reports) {
    const name = threads > 1 ? `${build}, ${threads} threads` : build;
    console.log(
      `| ${runtime} | ${name} | ${(arena / 1e6).toFixed(1)} | ${loadMs} | ${tokensPerSecond ?? ""} | ${guessed} |`,
    );
  }
});

/** What the first host said is what all others must say. */
function compare(report) {
  reports.push(report);
  expect(report.wrong).toEqual([]);
  expect({ runtime: report.runtime, ...report.said }).toEqual({ runtime: report.runtime, ...reports[0].said });
}

let project;
beforeAll(() => {
  project = installPackage();
  const beside = (name) => `${project.directory}/${name}`;
  for (const name of ["suite.mjs", "host.mjs"]) cpSync(fileURLToPath(new URL(name, import.meta.url)), beside(name));
  writeFileSync(beside("goldens.json"), JSON.stringify({ chats: FEW_CHATS, texts: TEXTS }));
});
afterAll(() => project?.remove());

test.each(Object.keys(RUNTIMES))("%s", async (name) => {
  const [command, ...args] = RUNTIMES[name]("host.mjs", `--allow-read=${file},goldens.json`);
  compare(JSON.parse(await output(command, [...args, file, "goldens.json"], project.directory)));
});

// Firefox under WebDriver BiDi sometimes never returns from new Worker() in a worker; without automation it does. So one thread there.
test.each([
  ["Chromium", browser, {}],
  ["Firefox", () => launch("firefox"), { threads: 1, builds: ["simd", "relaxed"] }],
])("%s, from the origin's private file system, in a worker", async (_, start, { threads, builds }) => {
  const server = await serve({ isolated: true, model: { etag: '"1"', bytes: readFileSync(file) } });
  const started = await start();
  const page = await started.open(server.url);
  const report = await page.evaluate(
    ({ chats, texts, threads, builds }) =>
      reportOf({
        runtime: /(Firefox|Chrome)\/[\d.]+/.exec(navigator.userAgent)[0].replace("/", " "),
        load: zagreus.load,
        source: () => "/model.gguf",
        chats,
        texts,
        builds,
        options: { offload: true, cache: true, threads },
      }),
    { chats: FEW_CHATS, texts: TEXTS, threads, builds },
  );
  expect(page.errors).toEqual([]);
  expect(await page.evaluate(() => zagreus.cachedModels())).toMatchObject([{ bytes: BYTES, complete: true }]);
  expect(server.requests).toEqual(["all"]);
  await started.close();
  await server.close();
  compare(report);
});

test("workerd, from R2", async () => {
  const bindings = { RUNTIME: `workerd ${VERSION}`, CHATS: FEW_CHATS.map((chat) => CHATS.indexOf(chat)) };
  const worker = await workerd("../smollm2/worker.mjs", { bindings });
  await worker.bucket.put("smollm2.gguf", new Uint8Array(readFileSync(file)));
  const report = await worker.json("/");
  await worker.dispose();
  compare(report);
});

test("prompt lookup guesses", () => {
  expect(reports.length).toBeGreaterThan(1);
  expect(reports.reduce((sum, { guessed }) => sum + guessed, 0)).toBeGreaterThan(0);
});

test.each([
  ["node:wasi", wasi],
  ["Wasmtime", wasmtime],
])("zagreus.wasm in %s: logits and a text", (_, run) => {
  const command = (name, ...args) => json(run([name, "-m", relative(ROOT, file), "--json", ...args]));
  const { tokens, hash, text } = expected;
  expect(command("logits", "--tokens", tokens, "--top", "1").sha256).toBe(hash);
  const greedy = ["-n", "24", "--temp", "0", "--repetition-penalty", "1"];
  expect(command("complete", QUESTIONS.story, ...greedy).text).toBe(text);
});

test("zagreus.wasm in node:wasi: ids", () => {
  const args = ["tokenize", "-m", relative(ROOT, file), "--json"];
  expect(json(wasi(args, { input: expected.allTexts })).tokens).toEqual(expected.allIds);
});

test("zagreus.wasm in node:wasi without a wrapper: in Node 24, and in Node 20 with a flag", async () => {
  const script = join(ROOT, "test/wasi/plain.mjs");
  const args = ["--no-warnings", script, ".", "tokenize", "-m", relative(ROOT, file), "--json", QUESTIONS.story];
  const [[node20], [node24]] = ["Node 20", "Node 24"].map((name) => RUNTIMES[name](script));
  const ids = await output(node24, args, ROOT);
  expect(JSON.parse(ids).tokens.join()).toBe(expected.tokens);
  expect(await output(node20, ["--no-turbo-fast-api-calls", ...args], ROOT)).toBe(ids);
});
