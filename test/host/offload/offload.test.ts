// host/core/offload over a MessageChannel with both ends here, so that the tests see each.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { MessageChannel } from "node:worker_threads";
import { expect, test } from "vitest";
import type { Build, LoadOptions, LoadProgress, Model, WebSource } from "../../../host/core/api/api";
import { ZagreusError } from "../../../host/core/api/errors";
import { byteSource } from "../../../host/core/load/source";
import { loadModel } from "../../../host/core/model/model";
import { loadOffloaded, type ModelThreadEvents, type StartModelThread } from "../../../host/core/offload/load";
import { serveModel } from "../../../host/core/offload/serve";
import { bits, caught, GREEDY, nanoBytes, PROMPT } from "../../support/nano";

const BYTES = nanoBytes();
const DIST = new URL("../../../dist/", import.meta.url);

const module = async (build: Build) => new WebAssembly.Module(readFileSync(new URL(`zagreus-${build}.wasm`, DIST)));
const macrotask = () => setTimeout(0);
const open = async (source: unknown) => byteSource(source as WebSource);

const loadHere = (source: WebSource, options: LoadOptions): Promise<Model> =>
  loadModel(() => byteSource(source), options, { module, macrotask });

/** A Blob is opened in the thread, all else here. */
const loadThere = (start: StartModelThread, source: WebSource, options: LoadOptions = {}) =>
  loadOffloaded({ start, module }, source instanceof Blob ? { passed: source } : { open: () => open(source) }, options);

/** A thread that is none. */
function thread() {
  const state = { stopped: 0, busy: false, events: undefined as ModelThreadEvents | undefined };
  const start = (events: ModelThreadEvents) => {
    const { port1, port2 } = new MessageChannel();
    const receive = serveModel(
      { post: (message, transfer) => port2.postMessage(message, transfer) },
      { macrotask, open },
    );
    port2.on("message", receive);
    port1.on("message", events.message);
    state.events = events;
    return {
      post: (message: unknown, transfer: ArrayBuffer[]) => port1.postMessage(message, transfer),
      busy(busy: boolean) {
        state.busy = busy;
      },
      stop() {
        state.stopped++;
        port1.close();
      },
    };
  };
  return { start, state };
}

const nano = (options: LoadOptions = {}) => loadThere(thread().start, new Blob([BYTES]), options);

async function* chunked(size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < BYTES.length; at += size) yield BYTES.subarray(at, at + size);
}

test("everything is as without a thread between", async () => {
  const here = await loadHere(BYTES, {});
  const there = await nano();
  expect(there.info).toEqual(here.info);

  const tokens = here.tokenize(PROMPT);
  expect(await there.tokenize(PROMPT)).toEqual(tokens);
  expect(await there.tokenize(new TextEncoder().encode(PROMPT), { bos: false })).toEqual(tokens.slice(1));
  expect(await there.detokenize(tokens)).toBe(here.detokenize(tokens));
  expect(bits(await there.logits(tokens))).toEqual(bits(await here.logits(tokens)));
  expect(await there.logprobs(tokens, { top: 2 })).toEqual(await here.logprobs(tokens, { top: 2 }));
  const rows: Buffer[] = [];
  for await (const row of there.logits(tokens, { all: true })) rows.push(bits(row));
  expect(rows).toHaveLength(tokens.length);
  expect(rows.at(-1)).toEqual(bits(await here.logits(tokens)));

  for (const options of [
    { maxTokens: 12, seed: 3, logprobs: 2, logitBias: new Map([[5, -3]]) },
    { ...GREEDY, maxTokens: 30, stop: "e" },
    { maxTokens: 0 },
  ]) {
    const expected = here.complete(PROMPT, options);
    const completion = there.complete(PROMPT, options);
    const pieces = [];
    for await (const piece of expected) pieces.push(piece);
    const seen = [];
    for await (const piece of completion) seen.push(piece);
    expect(seen).toEqual(pieces);
    const { tokens, finishReason, usage } = expected;
    expect(completion).toMatchObject({ tokens, finishReason, usage: { completionTokens: usage!.completionTokens } });
    expect(completion.timings?.prefillMs).toBeGreaterThanOrEqual(0);
  }
  here.close();
  there.close();
});

test("every kind of source arrives, is left whole, and reports its progress", async () => {
  for (const source of [new Blob([BYTES]), chunked(100_003), chunked(3_000_000)]) {
    const seen: LoadProgress[] = [];
    const model = await loadThere(thread().start, source, { onProgress: (progress) => seen.push(progress) });
    expect(seen.at(-1)).toEqual({ phase: "weights", loadedBytes: BYTES.length, totalBytes: BYTES.length });
    model.close();
  }
  expect(BYTES.length).toBeGreaterThan(0);
});

test("Node's Buffers, whose slice() is no copy, are left whole", async () => {
  const pool = Buffer.from(BYTES);
  async function* chunks() {
    for (let at = 0; at < pool.length; at += 3 << 20) yield pool.subarray(at, at + (3 << 20));
  }
  for (const source of [Buffer.from(BYTES), chunks()]) {
    const model = await loadThere(thread().start, source);
    const text = Buffer.from(PROMPT);
    expect(await model.tokenize(text)).toEqual(await model.tokenize(PROMPT));
    expect(text.toString()).toBe(PROMPT);
    const session = model.session();
    await session.complete(PROMPT, { ...GREEDY, maxTokens: 3 }).text();
    const snapshot = Buffer.from(await session.save());
    for (const _ of [1, 2]) expect((await model.restore(snapshot)).tokens).toEqual(session.tokens);
    model.close();
  }
  expect(Buffer.compare(pool, BYTES)).toBe(0);
});

test("sessions grow, are saved and restored, and end", async () => {
  const model = await nano();
  const session = model.session();
  const text = await session.complete(PROMPT, { ...GREEDY, maxTokens: 8 }).text();
  const tokens = session.tokens;
  expect(tokens.length).toBe((await model.tokenize(PROMPT)).length + 8);
  const snapshot = await session.save();
  const restored = await model.restore(snapshot);
  expect(snapshot.length).toBeGreaterThan(0);
  expect(restored.tokens).toEqual(tokens);
  const more = { ...GREEDY, maxTokens: 4 };
  const completion = restored.complete([], more);
  expect(await completion.text()).toBe(await session.complete([], more).text());
  expect(completion.usage?.prefilledTokens).toBeLessThan(3);
  expect(text).not.toBe("");

  expect(await caught(model.restore(snapshot.fill(7, 100)))).toMatchObject({ code: "BAD_SNAPSHOT" });
  session.close();
  expect(await caught(session.save())).toMatchObject({ code: "CLOSED" });
  expect(session.tokens).toEqual([]);
  expect(restored.tokens.length).toBe(tokens.length + 4);
  model.close();
});

test("a completion is made when it is read, one piece at a time", async () => {
  const model = await nano();
  const session = model.session();
  for await (const { text } of session.complete(PROMPT, { ...GREEDY, maxTokens: 50 })) if (text.includes("a")) break;
  const { length } = session.tokens;
  expect(length).toBeLessThan((await model.tokenize(PROMPT)).length + 50);
  const stream = session.complete([], { maxTokens: 50 }).toReadableStream().getReader();
  expect((await stream.read()).value).toHaveProperty("token");
  await stream.cancel();
  expect(session.tokens.length).toBe(length + 1);
  const twice = model.complete(PROMPT, { maxTokens: 1 });
  await twice.text();
  expect(await caught(twice.text())).toMatchObject({ code: "BUSY" });
  model.close();
});

test("an abort ends a load, a completion and a wait, with its reason", async () => {
  const reason = new Error("enough");
  const stalled = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => {}) });
  const abort = (ms: number) => {
    const controller = new AbortController();
    void setTimeout(ms).then(() => controller.abort(reason));
    return controller.signal;
  };
  const { start, state } = thread();
  expect(await caught(loadThere(start, stalled, { signal: abort(20) }))).toMatchObject({
    code: "ABORTED",
    cause: reason,
  });
  expect(state.stopped).toBe(1);

  const model = await nano();
  const signal = abort(30);
  const logitBias = new Map(model.info.tokenizer.end.map((token) => [token, -Infinity]));
  const first = model.complete(PROMPT, { maxTokens: 4000, signal, logitBias });
  const second = model.complete(PROMPT, { maxTokens: 2, signal: AbortSignal.abort(reason) });
  const [one, two] = await Promise.all([caught(first.text()), caught(second.text())]);
  expect(one).toMatchObject({ code: "ABORTED", cause: reason });
  expect(two).toMatchObject({ code: "ABORTED", cause: reason });
  expect(first.tokens.length).toBeGreaterThan(0);

  // An aborted completion whose reader is away lets the next one begin.
  const controller = new AbortController();
  const away = model.complete(PROMPT, { maxTokens: 100, signal: controller.signal })[Symbol.asyncIterator]();
  await away.next();
  const next = model.complete(PROMPT, { maxTokens: 2 }).text();
  controller.abort(reason);
  await next;
  expect(await caught(away.next())).toMatchObject({ code: "ABORTED", cause: reason });
  expect(await caught(model.logprobs([1, 2], { signal: controller.signal }))).toMatchObject({ code: "ABORTED" });
  model.close();
});

test("errors arrive whole", async () => {
  const over = await caught(nano({ memoryBudget: 1000 }));
  expect(over).toBeInstanceOf(ZagreusError);
  expect(over).toEqual(await caught(loadHere(BYTES, { memoryBudget: 1000 })));
  const broken = (async function* () {
    yield BYTES.subarray(0, 1000);
    throw new TypeError("cable cut");
  })();
  const { start, state } = thread();
  expect(await caught(loadThere(start, broken, {}))).toMatchObject({
    code: "SOURCE_FAILED",
    message: "reading the model failed: cable cut",
    cause: { name: "TypeError", message: "cable cut" },
  });
  expect(state.stopped).toBe(1);
  const thrown = new Error("in onProgress");
  const onProgress = () => {
    throw thrown;
  };
  expect(await caught(nano({ onProgress }))).toBe(thrown);

  const model = await nano();
  expect(() => model.complete(PROMPT, { maxTokens: -1 })).toThrow('option "maxTokens" is -1');
  expect(() => model.complete([99999])).toThrow(expect.objectContaining({ code: "BAD_TOKEN" }));
  expect(await caught(model.logits([]))).toMatchObject({ code: "INVALID_OPTION", field: "tokens" });
  const long = model.complete(Array(5000).fill(3));
  expect(await caught(long.text())).toMatchObject({ code: "CONTEXT_OVERFLOW", value: 5000 });
  model.close();
});

test("a thread that dies fails what runs and what comes", async () => {
  const { start, state } = thread();
  const model = await loadThere(start, new Blob([BYTES]), {});
  expect(state.busy).toBe(false);
  const running = model.complete(PROMPT, { maxTokens: 4000 })[Symbol.asyncIterator]();
  await running.next();
  const waiting = model.complete(PROMPT).text();
  const died = { code: "THREAD_FAILED", message: "the model's thread failed: killed" };
  const failures = Promise.all([caught(running.next()), caught(waiting)]);
  expect(state.busy).toBe(true);
  state.events!.failed(new Error("killed"));
  expect(state.busy).toBe(false);
  expect(await failures).toMatchObject([died, died]);
  expect(() => model.complete(PROMPT)).toThrow(expect.objectContaining(died));
  expect(await caught(model.tokenize("a"))).toMatchObject(died);
  model.close();

  const unborn = () => {
    throw new Error("no more threads");
  };
  expect(await caught(loadThere(unborn, new Blob([BYTES]), {}))).toMatchObject({ code: "THREAD_FAILED" });
});

test("close ends the thread and everything that waits for it", async () => {
  const { start, state } = thread();
  const model = await loadThere(start, new Blob([BYTES]), {});
  const session = model.session();
  const running = caught(session.complete(PROMPT, { maxTokens: 4000 }).text());
  await setTimeout(20);
  model.close();
  expect(await running).toMatchObject({ code: "CLOSED" });
  expect(state.stopped).toBe(1);
  expect(() => session.complete("a")).toThrow(expect.objectContaining({ code: "CLOSED" }));
  expect(() => model.session()).toThrow(expect.objectContaining({ code: "CLOSED" }));
  model.close();
});

test("a model that nobody holds ends its thread, but not before its answers have come", () => {
  const script = `
    import { bundledModel, load } from ${JSON.stringify(new URL("index.js", DIST).href)};
    import { setTimeout } from "node:timers/promises";
    const collecting = setInterval(gc, 1);
    const scored = await (await load(bundledModel, { offload: true })).logprobs(Array(500).fill(7));
    const model = new WeakRef(await load(bundledModel, { offload: true }));
    while (model.deref()) await setTimeout(5);
    clearInterval(collecting);
    console.log(scored.length);`;
  const args = ["--expose-gc", "--input-type=module", "-e", script];
  expect(execFileSync(process.execPath, args, { encoding: "utf8", timeout: 120_000 })).toBe("500\n");
});
