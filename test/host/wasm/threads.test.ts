import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import type { LoadOptions } from "../../../host/core/api/api";
import { byteSource } from "../../../host/core/load/source";
import { loadModel, type Platform } from "../../../host/core/model/model";
import type { ComputeThreadEvents } from "../../../host/core/wasm/threads";
import { bits, caught, GREEDY, loadNano, nanoBytes, PROMPT } from "../../support/nano";

const DIST = new URL("../../../dist/", import.meta.url);

/** Node, whose worker threads are the test's. */
function platform(start: (events: ComputeThreadEvents) => void, stopped = () => {}): Platform {
  return {
    module: async (build) => new WebAssembly.Module(readFileSync(new URL(`zagreus-${build}.wasm`, DIST))),
    macrotask: () => setTimeout(0),
    threads: {
      defaultCount: 2,
      mayBlock: true,
      start(_, events) {
        start(events);
        return { stop: stopped };
      },
    },
  };
}
const loadOn = (host: Platform, options: LoadOptions = {}) => loadModel(() => byteSource(nanoBytes()), options, host);

test("any number of threads gives the same bits and text", async () => {
  const one = await loadNano({ threads: 1 });
  const tokens = one.tokenize(PROMPT);
  const logits = bits(await one.logits(tokens));
  const text = await one.complete(PROMPT, { ...GREEDY, maxTokens: 20 }).text();
  for (const threads of [2, 3, 8]) {
    const model = await loadNano({ threads });
    expect(model.info).toMatchObject({ threads, build: expect.stringMatching(/-mt$/) });
    expect(bits(await model.logits(tokens))).toEqual(logits);
    expect(await model.complete(PROMPT, { ...GREEDY, maxTokens: 20 }).text()).toBe(text);
    model.close();
  }
  one.close();
});

test("sessions and metadata survive shared memory", async () => {
  const model = await loadNano({ threads: 2 });
  const session = model.session();
  await session.complete(PROMPT, { ...GREEDY, maxTokens: 5 }).text();
  const restored = await model.restore(await session.save());
  expect(restored.tokens).toEqual(session.tokens);
  const alone = await loadNano({ threads: 1 });
  expect(model.info.metadata).toEqual(alone.info.metadata);
  expect(model.detokenize(model.tokenize("perché 🦊"))).toBe(alone.detokenize(alone.tokenize("perché 🦊")));
  model.close();
  alone.close();
});

test("a process ends by itself, with the model open or closed", () => {
  const library = JSON.stringify(new URL("index.js", DIST).href);
  for (const last of ["", "model.close();"]) {
    const script = `
      import { bundledModel, load } from ${library};
      const model = await load(bundledModel, { threads: 3 });
      await model.complete("a", { maxTokens: 3 }).text(); ${last}
      console.log("done");`;
    const args = ["--input-type=module", "-e", script];
    expect(execFileSync(process.execPath, args, { encoding: "utf8", timeout: 120_000 })).toBe("done\n");
  }
});

const refusing = () => {
  throw new Error("no more threads");
};
const ending = ({ failed }: ComputeThreadEvents) => queueMicrotask(() => failed("it ended with code 1"));

test.each([
  ["throws", refusing, "no more threads"],
  ["ends before it is ready", ending, "it ended with code 1"],
])("a worker that %s: one thread, and a line that says so", async (_, start, reason) => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const model = await loadOn(platform(start), { threads: 3 });
  expect(warn.mock.calls).toEqual([[`zagreus-edge runs on one thread: worker thread 1 failed: ${reason}`]]);
  warn.mockRestore();
  const alone = await loadNano({ threads: 1 });
  expect(model.info).toMatchObject({ threads: 1, build: alone.info.build });
  const tokens = alone.tokenize(PROMPT);
  expect(bits(await model.logits(tokens))).toEqual(bits(await alone.logits(tokens)));
  model.close();
  alone.close();
});

test("a worker that does not start fails the load of a build with threads", async () => {
  for (const start of [refusing, ending]) {
    const stopped = vi.fn();
    const error = await caught(loadOn(platform(start, stopped), { build: "simd-mt" }));
    expect(error).toMatchObject({ code: "THREAD_FAILED", value: 1 });
    expect(stopped).toHaveBeenCalledTimes(start === ending ? 1 : 0);
  }
});

test("threads that have started are stopped where others cannot", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const stopped = vi.fn();
  let count = 0;
  const model = await loadOn(
    platform((events) => (++count === 1 ? events.ready() : refusing()), stopped),
    { threads: 3 },
  );
  expect(warn).toHaveBeenCalledTimes(1);
  expect(stopped).toHaveBeenCalledTimes(1);
  expect(await model.complete(PROMPT, { ...GREEDY, maxTokens: 5 }).text()).not.toBe("");
  model.close();
  warn.mockRestore();
});

test.each(["index.js", "raspberry-pi.js"])("where Node permits no threads %s runs on one", (library) => {
  const permission = Number.parseInt(process.versions.node, 10) < 23 ? "--experimental-permission" : "--permission";
  const script = `
    import { bundledModel, load } from ${JSON.stringify(new URL(library, DIST).href)};
    const model = await load(bundledModel, { threads: 2 });
    console.log(model.info.threads, model.info.build, await model.complete("a", { maxTokens: 3 }).text() !== "");`;
  const args = [permission, "--allow-fs-read=*", "--no-warnings", "--input-type=module", "-e", script];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 60_000 });
  expect(stdout).toMatch(/^1 (simd|relaxed) true\n$/);
  expect(stderr).toMatch(/^zagreus-edge runs on one thread: .*\n$/);
});

test("a worker that dies fails what runs then and later", async () => {
  let events: ComputeThreadEvents | undefined;
  const model = await loadOn(
    platform((worker) => {
      events = worker;
      worker.ready();
    }),
  );
  const pieces = model.complete(PROMPT, { maxTokens: 100 })[Symbol.asyncIterator]();
  await pieces.next();
  events?.failed(new Error("killed"));
  expect(await caught(pieces.next())).toMatchObject({ code: "THREAD_FAILED" });
  expect(await caught(() => model.tokenize("a"))).toMatchObject({ code: "THREAD_FAILED" });
  model.close();
  expect(await caught(() => model.tokenize("a"))).toMatchObject({ code: "CLOSED" });
});

test("workers that never come are not missed", async () => {
  const model = await loadOn(platform(({ ready }) => ready()));
  const alone = await loadNano({ threads: 1 });
  const tokens = alone.tokenize(PROMPT);
  expect(bits(await model.logits(tokens))).toEqual(bits(await alone.logits(tokens)));
  model.close();
  alone.close();
});

test("models that nobody closes let go of their threads", async () => {
  const script = `
    import { bundledModel, load } from ${JSON.stringify(new URL("index.js", DIST).href)};
    for (let i = 0; i < 3; i++) await load(bundledModel, { threads: 2 });
    for (let i = 0; i < 100; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); }
    const { readdirSync } = await import("node:fs");
    console.log(readdirSync("/proc/self/task").length);`;
  if (process.platform !== "linux") return;
  const run = (code: string) =>
    Number(execFileSync(process.execPath, ["--expose-gc", "--input-type=module", "-e", code], { encoding: "utf8" }));
  expect(run(script)).toBeLessThanOrEqual(run(script.replace("threads: 2", "threads: 1")) + 1);
});
