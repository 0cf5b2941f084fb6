// create(), availability(), destroy(): what the explainer says and web platform tests of ai/language-model assert.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundledModel, type Model } from "zagreus-edge";
import {
  type CreateMonitor,
  install,
  LanguageModelToolCall,
  languageModel,
  QuotaExceededError,
} from "zagreus-edge/prompt-api";
import { caught } from "../../support/nano";
import { loadShort, nameOf, nanoClass, SENTENCE } from "./harness";

let model: Model;
let LanguageModel: ReturnType<typeof nanoClass>;
beforeAll(async () => {
  model = await loadShort();
  LanguageModel = nanoClass(model);
});
afterAll(() => model.close());

const MEMBERS = ["append", "clone", "destroy", "measureContextUsage", "prompt", "promptStreaming"];

test("a session has the members of the standard, and no others", async () => {
  const session = await LanguageModel.create();
  expect(session).toBeInstanceOf(LanguageModel);
  expect(session).toBeInstanceOf(EventTarget);
  expect(`${session}`).toBe("[object LanguageModel]");
  expect(LanguageModel.name).toBe("LanguageModel");
  for (const name of MEMBERS) expect(session).toHaveProperty(name, expect.any(Function));
  expect(session.contextUsage).toBe(0);
  expect(session.contextWindow).toBeGreaterThan(100);
  expect(session.oncontextoverflow).toBeNull();
  expect(session.samplingMode).toBe("balanced");
  for (const name of ["topK", "temperature", "inputUsage", "inputQuota", "measureInputUsage", "onquotaoverflow"])
    expect(name in session, name).toBe(false);
  expect("params" in LanguageModel).toBe(false);
  expect(() => new LanguageModel(undefined as never)).toThrow(new TypeError("Illegal constructor"));
});

test("what browsers keep for extensions, where it is wanted", async () => {
  const Extension = nanoClass(model, { extensionMembers: true });
  const params = (await Extension.params!())!;
  expect(params).toEqual({ defaultTopK: 3, maxTopK: 128, defaultTemperature: 1, maxTemperature: 2 });
  const session = await Extension.create({ topK: 1.5, temperature: Number.POSITIVE_INFINITY });
  expect(session).toMatchObject({ topK: 1, temperature: 2, samplingMode: null, onquotaoverflow: null });
  expect(await Extension.create()).toMatchObject({ topK: model.info.vocabulary, temperature: 0.7 });
  await session.append("a");
  expect(session.inputUsage).toBe(session.contextUsage);
  expect(session.inputQuota).toBe(session.contextWindow);
  expect(await session.measureInputUsage!("a")).toBe(session.contextUsage);
  expect(await nameOf(Extension.create({ topK: 3 }))).toBe("NotSupportedError");
  expect(await nameOf(Extension.create({ topK: 0, temperature: 1 }))).toBe("RangeError");
  expect(await nameOf(Extension.create({ topK: 3, temperature: -0.5 }))).toBe("RangeError");
  for (const method of ["create", "availability"] as const)
    expect(await nameOf(Extension[method]({ topK: 3, samplingMode: "balanced" }))).toBe("TypeError");
  const page = await LanguageModel.create({ topK: -2, temperature: -1, samplingMode: "creative" });
  expect(page.samplingMode).toBe("creative");
});

test.each([
  [{ expectedInputs: [{ type: "text", languages: ["en-abc-invalid"] }] }, "RangeError"],
  [{ expectedInputs: [{ type: "soup" }] }, "TypeError"],
  [{ expectedInputs: "text" }, "TypeError"],
  [{ samplingMode: "default" }, "TypeError"],
  ["text", "TypeError"],
])("%j is wrong", async (options, name) => {
  expect(await nameOf(LanguageModel.create(options as object))).toBe(name);
  expect(await nameOf(LanguageModel.availability(options as object))).toBe(name);
});

test.each([
  { expectedInputs: [{ type: "text", languages: ["unk"] }] },
  { expectedOutputs: [{ type: "text", languages: ["unk"] }] },
  { expectedOutputs: [{ type: "image" }] },
  { expectedOutputs: [{ type: "audio" }] },
  { expectedInputs: [{ type: "audio" }, { type: "text" }] },
] as const)("%j is unavailable", async (options) => {
  expect(await LanguageModel.availability(options)).toBe("unavailable");
  expect(await nameOf(LanguageModel.create(options))).toBe("NotSupportedError");
});

test("languages are those that somebody says, or any", async () => {
  const inputs = (...languages: string[]) => ({ expectedInputs: [{ type: "text" as const, languages }] });
  expect(await LanguageModel.availability(inputs("EN", "it-IT"))).toBe("available");
  const Italian = nanoClass(model, { languages: ["it"] });
  expect(await Italian.availability(inputs("it-IT"))).toBe("available");
  expect(await Italian.availability(inputs("it", "en"))).toBe("unavailable");
});

describe("initialPrompts", () => {
  test("count, exactly as they are measured", async () => {
    const initialPrompts = [
      { role: "system", content: "you are a robot" },
      { role: "user", content: "hello" },
      { role: "assistant", content: "hello" },
    ] as const;
    const session = await LanguageModel.create({ initialPrompts });
    expect(session.contextUsage).toBeGreaterThan(0);
    expect(await session.measureContextUsage(initialPrompts)).toBe(session.contextUsage);
    expect((await LanguageModel.create({ initialPrompts: [] })).contextUsage).toBe(0);
  });

  const system = { role: "system", content: "you are a robot" } as const;
  test.each([
    [[{ role: "user", content: "hello" }, system], "TypeError"],
    [[system, { role: "system", content: "you are a kitten" }], "TypeError"],
    [[{ role: "user" }], "TypeError"],
    [[{ role: "robot", content: "hello" }], "TypeError"],
    ["hello", "TypeError"],
    [[{ role: "user", content: [{ type: "image", value: {} }] }], "NotSupportedError"],
    [[{ role: "user", content: "a", prefix: true }], "SyntaxError"],
  ])("%j are wrong", async (initialPrompts, name) => {
    expect(await nameOf(LanguageModel.create({ initialPrompts } as object))).toBe(name);
    // availability() does not look at them
    expect(await LanguageModel.availability({ initialPrompts } as object)).toBe("available");
  });

  test("that do not fit are refused with what was asked for and what there is", async () => {
    const session = await LanguageModel.create();
    const content = SENTENCE.repeat(session.contextWindow);
    const initialPrompts = [{ role: "system", content } as const];
    const requested = await session.measureContextUsage(initialPrompts);
    expect(requested).toBeGreaterThan(session.contextWindow);
    const error = await caught(LanguageModel.create({ initialPrompts }));
    expect(error).toBeInstanceOf(QuotaExceededError);
    expect(error).toBeInstanceOf(DOMException);
    expect(error).toMatchObject({ name: "QuotaExceededError", code: 22, requested, quota: session.contextWindow });
  });
});

/** A monitor that notes what it is told. */
function noting() {
  const events: { loaded: number; total: number; lengthComputable: boolean }[] = [];
  const monitor = (m: CreateMonitor) => m.addEventListener("downloadprogress", (event) => events.push(event));
  return { events, monitor };
}

test("the monitor hears of 0 and 1 at least, rising, in steps of 1 / 65536, and nothing after the session is there", async () => {
  const Loading = languageModel({ model: bundledModel, template: "chatml", load: { threads: 1 } });
  for (const _ of [1, 2]) {
    const { events, monitor } = noting();
    await Loading.create({ monitor });
    const heard = events.length;
    expect(heard).toBeGreaterThanOrEqual(2);
    expect(events[0]!.loaded).toBe(0);
    expect(events.at(-1)!.loaded).toBe(1);
    events.forEach(({ loaded, total, lengthComputable }, i) => {
      expect({ total, lengthComputable }).toEqual({ total: 1, lengthComputable: true });
      expect(loaded % (1 / 0x10000)).toBe(0);
      expect(loaded).toBeGreaterThan(events[i - 1]?.loaded ?? -1);
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(events.length).toBe(heard);
  }
});

test("the monitor is called at once, and what it throws is what create() is rejected with", async () => {
  let called = 0;
  const creating = LanguageModel.create({ monitor: () => called++ });
  expect(called).toBe(1);
  await creating;
  const error = new Error("of the monitor");
  const options = {
    expectedInputs: [{ type: "image" as const }],
    monitor() {
      throw error;
    },
  };
  expect(await caught(LanguageModel.create(options))).toBe(error);
  expect(await nameOf(LanguageModel.create({ monitor: 1 } as object))).toBe("TypeError");
});

test("create() ends with the reason of its signal: before, at 0, at 1; then no event comes", async () => {
  const reason = new Error("of the signal");
  expect(await caught(LanguageModel.create({ signal: AbortSignal.abort(reason) }))).toBe(reason);
  expect(await nameOf(LanguageModel.create({ signal: AbortSignal.abort() }))).toBe("AbortError");
  expect(await nameOf(LanguageModel.create({ signal: {} } as object))).toBe("TypeError");
  for (const at of [0, 1]) {
    const controller = new AbortController();
    const { events, monitor } = noting();
    const creating = LanguageModel.create({
      signal: controller.signal,
      monitor(m) {
        monitor(m);
        m.ondownloadprogress = ({ loaded }) => {
          if (loaded === at) queueMicrotask(() => controller.abort(reason));
        };
      },
    });
    expect(await caught(creating)).toBe(reason);
    expect(events.at(-1)!.loaded).toBe(at);
  }
});

test("a model is loaded once for all, stopped when nobody waits, and closed with its last session", async () => {
  const loads: AbortSignal[] = [];
  let loaded: Model | undefined;
  const Loading = nanoClass(model, {
    model: async ({ signal }) => {
      loads.push(signal);
      await new Promise((resolve) => setTimeout(resolve, 20));
      loaded = await loadShort();
      return loaded;
    },
  });
  expect(await Loading.availability()).toBe("downloadable");
  const leaving = new AbortController();
  const left = nameOf(Loading.create({ signal: leaving.signal }));
  while (loads.length === 0) await new Promise((resolve) => setTimeout(resolve));
  leaving.abort();
  expect(await left).toBe("AbortError");
  expect(loads[0]!.aborted).toBe(true);

  const creating = Promise.all([Loading.create(), Loading.create()]);
  while (loads.length === 1) await new Promise((resolve) => setTimeout(resolve));
  expect(await Loading.availability()).toBe("downloading");
  const [one, two] = await creating;
  expect(loads.length).toBe(2);
  expect(await Loading.availability()).toBe("available");
  const three = await one.clone();
  one.destroy();
  one.destroy();
  two.destroy();
  expect(loaded!.closed).toBe(false);
  expect(await three.prompt("a")).toBeTypeOf("string");
  three.destroy();
  expect(loaded!.closed).toBe(true);
  expect(await Loading.availability()).toBe("downloadable");
  (await Loading.create()).destroy();
});

test("what fails to load", async () => {
  const of = (code: string) =>
    nanoClass(model, {
      model: () => Promise.reject(Object.assign(new Error("gone"), { name: "ZagreusError", code })),
    });
  expect(await nameOf(of("SOURCE_FAILED").create())).toBe("NetworkError");
  expect(await nameOf(of("OVER_BUDGET").create())).toBe("OperationError");
  expect(await nameOf(of("UNSUPPORTED_RUNTIME").create())).toBe("NotSupportedError");
  const error = await caught(languageModel({ model: "https://127.0.0.1:9/a.gguf" }).create());
  expect(error).toMatchObject({ name: "NetworkError", cause: { code: "SOURCE_FAILED" } });
  expect(await nameOf(languageModel({ model }).create())).toBe("NotSupportedError"); // a base model, without a template
  expect(() => languageModel({} as never)).toThrow(/"model" is undefined/);
  const closed = await loadShort();
  closed.close();
  expect(await nanoClass(closed).availability()).toBe("unavailable");
  expect(await nameOf(nanoClass(closed).create())).toBe("NotSupportedError");
});

test("availability of sources", async () => {
  const availability = (source: string | URL | Uint8Array) => languageModel({ model: source }).availability();
  expect(await availability(bundledModel)).toBe("available");
  expect(await availability(new Uint8Array(1))).toBe("available");
  expect(await availability("./no-such-model.gguf")).toBe("unavailable");
  expect(await availability("https://models.example/a.gguf")).toBe("downloadable");
  expect(await availability("hf:no-such-owner/no-such-repository")).toBe("downloadable");
});

test("destroy() ends what runs, what waits and what comes; properties stay", async () => {
  const session = await LanguageModel.create();
  const stream = session.promptStreaming("a");
  const running = [session.prompt("a"), session.append("b"), stream.getReader().read()].map(nameOf);
  const usage = session.contextUsage;
  session.destroy();
  session.destroy();
  expect(await Promise.all(running)).toEqual(Array(3).fill("InvalidStateError"));
  const later = [session.prompt("a"), session.append("b"), session.clone(), session.measureContextUsage("a")];
  expect(await Promise.all(later.map(nameOf))).toEqual(Array(4).fill("InvalidStateError"));
  expect(() => session.promptStreaming("a")).toThrow(expect.objectContaining({ name: "InvalidStateError" }));
  expect(session).toMatchObject({ contextUsage: usage, contextWindow: expect.any(Number), samplingMode: "balanced" });
});

test("the signal of create() destroys the session, with its reason", async () => {
  const controller = new AbortController();
  const session = await LanguageModel.create({ signal: controller.signal });
  const reason = new Error("of the signal");
  const running = session.prompt("a");
  controller.abort(reason);
  expect(await caught(running)).toBe(reason);
  expect(await caught(session.prompt("a"))).toBe(reason);
});

test("sampling modes", async () => {
  const modes = "most-predictable predictable slightly-predictable balanced slightly-creative creative most-creative";
  for (const samplingMode of modes.split(" ") as "creative"[]) {
    const session = await LanguageModel.create({ samplingMode });
    expect(session.samplingMode).toBe(samplingMode);
    expect((await session.clone()).samplingMode).toBe(samplingMode);
    expect(await LanguageModel.availability({ samplingMode })).toBe("available");
  }
  const greedy = await LanguageModel.create({ samplingMode: "most-predictable" });
  expect(await (await greedy.clone()).prompt("a")).toBe(await greedy.prompt("a"));
});

test("install() fills in what is missing", () => {
  const target: Record<string, unknown> = { QuotaExceededError: "the browser's" };
  install(LanguageModel, target);
  expect(target.LanguageModel).toBe(LanguageModel);
  expect(target.LanguageModelToolCall).toBe(LanguageModelToolCall);
  expect(target.QuotaExceededError).toBe("the browser's");
});
