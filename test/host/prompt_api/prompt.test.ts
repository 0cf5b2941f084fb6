// prompt(), promptStreaming(), append(), clone(): what the explainer says and web platform tests of ai/language-model assert.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Model } from "zagreus-edge";
import type { LanguageModel, LanguageModelMessage, LanguageModelPrompt } from "zagreus-edge/prompt-api";
import { caught } from "../../support/nano";
import { type Asked, loadShort, nameOf, nanoClass, SENTENCE, scripted } from "./harness";

let model: Model;
let Nano: ReturnType<typeof nanoClass>;
/** Says what it was last told. */
let Echo: ReturnType<typeof nanoClass>;
let asked: Asked[];
beforeAll(async () => {
  model = await loadShort();
  Nano = nanoClass(model, { maxTokens: 8 });
  asked = [];
  Echo = nanoClass(
    scripted(
      model,
      ({ prompt }) => /user\n([\s\S]*?)<\|im_end\|>\n<\|im_start\|>assistant\n[\s\S]*$/.exec(lastOf(prompt))?.[1] ?? "",
      asked,
    ),
  );
});
afterAll(() => model.close());

const lastOf = (prompt: string) => prompt.slice(prompt.lastIndexOf("<|im_start|>user"));

async function chunksOf(stream: ReadableStream<string>): Promise<string[]> {
  const chunks: string[] = [];
  for await (const chunk of stream as unknown as AsyncIterable<string>) chunks.push(chunk);
  return chunks;
}

const read = async (stream: ReadableStream<string>) => (await chunksOf(stream)).join("");
/** The conversation that the model was shown last. */
const shown = () =>
  [...asked.at(-1)!.prompt.matchAll(/<\|im_start\|>(\w+)\n([\s\S]*?)(?=<\|im_end\|>|$)/g)].map(
    ([, role, content]) => `${role}: ${content}`,
  );

test("an answer, and then one that knows the first", async () => {
  const session = await Echo.create();
  expect(await session.prompt("Write me a poem.")).toBe("Write me a poem.");
  expect(await session.prompt("And one more.")).toBe("And one more.");
  expect(asked.at(-1)!.options).toMatchObject({ temperature: 0.7, loopStop: true, maxTokens: 12 });
  expect(shown()).toEqual([
    "user: Write me a poem.",
    "assistant: Write me a poem.",
    "user: And one more.",
    "assistant: ",
  ]);
});

test("the model's own answer, whole and as a stream", async () => {
  const options = { samplingMode: "most-predictable" } as const;
  const whole = await (await Nano.create(options)).prompt(SENTENCE);
  expect(whole.length).toBeGreaterThan(0);
  const stream = (await Nano.create(options)).promptStreaming(SENTENCE);
  expect(stream).toBeInstanceOf(ReadableStream);
  const chunks = await chunksOf(stream);
  expect(chunks.length).toBeGreaterThan(1);
  expect(chunks.join("")).toBe(whole);
});

test("three ways to give a system prompt", async () => {
  const system = { role: "system", content: "Pretend to be an eloquent hamster." } as const;
  const user = { role: "user", content: "Your favorite food?" } as const;
  const one = await Echo.create({ initialPrompts: [system] });
  await one.prompt([user]);
  const two = await Echo.create();
  expect(await two.append([system])).toBeUndefined();
  await two.prompt([user]);
  const three = await Echo.create();
  await three.prompt([system, user]);
  for (const { prompt } of asked.slice(-3)) expect(prompt).toBe(asked.at(-1)!.prompt);
  expect(shown()).toEqual([`system: ${system.content}`, `user: ${user.content}`, "assistant: "]);
  for (const session of [one, two, three]) expect(await nameOf(session.prompt([system]))).toBe("TypeError");
});

test("several messages, of which the last may be the assistant's", async () => {
  const session = await Echo.create();
  await session.prompt([
    { role: "user", content: "Marketing: more." },
    {
      role: "user",
      content: [
        { type: "text", value: "Finance: " },
        { type: "text", value: "less." },
      ],
    },
    { role: "assistant", content: "A compromise." },
  ]);
  const before = ["user: Marketing: more.", "user: Finance: less.", "assistant: A compromise."];
  expect(shown()).toEqual([...before, "assistant: "]);
  const toml = { role: "assistant", content: "```toml\n", prefix: true } as const;
  await session.prompt([{ role: "user", content: "Write TOML." }, toml]);
  expect(shown().slice(-2)).toEqual(["user: Write TOML.", "assistant: ```toml\n"]);
  await session.prompt("Again.");
  expect(shown().at(-3)).toBe("assistant: ```toml\nWrite TOML.");
});

describe("what is no list of messages is a text", () => {
  test.each<[unknown, string]>([
    [null, "null"],
    [undefined, "undefined"],
    [{}, "[object Object]"],
    [{ role: "system", content: "foo" }, "[object Object]"],
    ["", ""],
    [[], ""],
    [[{ role: "user", content: [] }], ""],
    [[{ role: "user", content: [{ type: "text", value: "" }] }], ""],
    [[{ role: "user", content: 1 }], "1"],
  ])("%j is %j", async (input, text) => {
    const session = await Echo.create();
    expect(await session.prompt(input as LanguageModelPrompt)).toBe(text);
    expect(shown()).toEqual([`user: ${text}`, "assistant: "]);
    await session.append(input as LanguageModelPrompt);
    expect(await read(session.promptStreaming(input as LanguageModelPrompt))).toBe(text);
  });
});

const user = { role: "user", content: "foo" };
const system = { role: "system", content: "bar" };
test.each([
  [[user, system], "TypeError"],
  [[system, system], "TypeError"],
  [[{ content: "foo" }], "TypeError"],
  [[{ role: "user" }], "TypeError"],
  [[{ role: "robot", content: "foo" }], "TypeError"],
  [["foo"], "TypeError"],
  [[{ role: "user", content: [{ type: "soup", value: "" }] }], "TypeError"],
  [[{ role: "user", content: [{ type: "text" }] }], "TypeError"],
  [[{ role: "user", content: [{ type: "text", value: {} }] }], "TypeError"],
  [[{ role: "user", content: [{ type: "image", value: new Uint8Array(1) }] }], "NotSupportedError"],
  [[{ role: "user", content: [{ type: "audio", value: new Uint8Array(1) }] }], "NotSupportedError"],
  [[{ role: "assistant", content: [{ type: "image", value: new Uint8Array(1) }] }], "NotSupportedError"],
  [[{ ...user, prefix: true }], "SyntaxError"],
  [[{ ...user, role: "assistant", prefix: true }, user], "SyntaxError"],
])("%j is %s", async (input, name) => {
  const session = await Nano.create();
  const messages = input as LanguageModelMessage[];
  expect(await nameOf(session.prompt(messages))).toBe(name);
  expect(await nameOf(session.append(messages))).toBe(name);
  const streaming = async () => read(session.promptStreaming(messages));
  expect(await nameOf(streaming())).toBe(name);
  expect(session.contextUsage).toBe(0);
});

test("what waits counts as said; what was aborted does not", async () => {
  const session = await Echo.create();
  const first = session.prompt("foo");
  const late = [{ role: "system", content: "bar" }] as const;
  expect(await nameOf(session.prompt(late))).toBe("TypeError");
  expect(await first).toBe("foo");
  const other = await Echo.create();
  const controller = new AbortController();
  const aborted = other.prompt("foo", { signal: controller.signal });
  controller.abort();
  expect(await nameOf(aborted)).toBe("AbortError");
  await new Promise((resolve) => setTimeout(resolve, 5));
  await other.append(late);
});

describe("usage", () => {
  test("of what is appended is what was measured", async () => {
    const session = await Nano.create();
    for (const text of [SENTENCE, "", "a".repeat(50)]) {
      const before = session.contextUsage;
      const usage = await session.measureContextUsage(text);
      expect(usage).toBeGreaterThan(0);
      await session.append(text);
      expect(session.contextUsage).toBe(before + usage);
    }
  });

  test("of an answer is what it would take", async () => {
    const session = await Nano.create();
    const usage = await session.measureContextUsage(SENTENCE);
    const answer = await session.measureContextUsage(await session.prompt(SENTENCE));
    expect(Math.abs(session.contextUsage - usage - answer)).toBeLessThanOrEqual(5);
  });

  test("can be measured of what could not be said", async () => {
    const session = await Nano.create({ initialPrompts: [{ role: "user", content: "a" }] });
    expect(await session.measureContextUsage([{ role: "system", content: "foo" }])).toBeGreaterThan(0);
    expect(await nameOf(session.measureContextUsage("a", { signal: AbortSignal.abort() }))).toBe("AbortError");
    expect(await nameOf(session.measureContextUsage("a", { omitResponseConstraintInput: true }))).toBe("TypeError");
  });

  test("is no less than what the engine counts, and no more than its preamble away from it", async () => {
    const session = await Echo.create({ initialPrompts: [{ role: "system", content: SENTENCE }] });
    await session.prompt(SENTENCE);
    await session.append([
      { role: "user", content: "b" },
      { role: "assistant", content: SENTENCE },
    ]);
    const usage = session.contextUsage + (await session.measureContextUsage("c"));
    await session.prompt("c");
    const tokens = model.tokenize(asked.at(-1)!.prompt, { special: true, bos: false }).length;
    expect(Math.abs(usage - tokens)).toBeLessThanOrEqual(10);
  });
});

/** Fills a session with pairs until the next prompt would not fit; returns how many. */
async function fill(session: LanguageModel): Promise<number> {
  for (let pairs = 0; ; pairs++) {
    const text = `${pairs}: ${SENTENCE}`;
    if (session.contextUsage + (await session.measureContextUsage(text)) > session.contextWindow) return pairs;
    await session.prompt(text);
  }
}

describe("overflow", () => {
  test("drops the oldest pairs, one at a time, and says so; initial prompts stay", async () => {
    const session = await Echo.create({ initialPrompts: [{ role: "system", content: "Be brief." }] });
    let overflows = 0;
    session.oncontextoverflow = () => overflows++;
    session.addEventListener("contextoverflow", (event) => expect(event.target).toBe(session));
    const pairs = await fill(session);
    expect(overflows).toBe(0);
    expect(shown().length).toBe(2 * pairs + 1);
    await session.prompt(`next: ${SENTENCE}`);
    expect(overflows).toBe(1);
    const [first, second] = shown();
    expect(first).toBe("system: Be brief.");
    expect(second).toBe(`user: 1: ${SENTENCE}`);
    session.oncontextoverflow = null;
    await session.append(SENTENCE.repeat(5));
    expect(overflows).toBe(1);
  });

  test("a prompt that cannot fit is refused, and nothing is dropped", async () => {
    const session = await Nano.create();
    await session.append(SENTENCE);
    const usage = session.contextUsage;
    const text = SENTENCE.repeat(session.contextWindow);
    const requested = await session.measureContextUsage(text);
    const expected = { name: "QuotaExceededError", requested, quota: session.contextWindow };
    expect(await caught(session.prompt(text))).toMatchObject(expected);
    expect(await caught(session.append(text))).toMatchObject(expected);
    expect(await caught(read(session.promptStreaming(text)))).toMatchObject(expected);
    expect(session.contextUsage).toBe(usage);
  });

  test("where there is a window to fill, an answer still comes", async () => {
    const session = await Nano.create();
    const overflow = new Promise((resolve) => session.addEventListener("contextoverflow", resolve));
    await session.append(SENTENCE);
    let text = SENTENCE;
    while ((await session.measureContextUsage(text + SENTENCE)) <= session.contextWindow) text += SENTENCE;
    const [answer] = await Promise.all([session.prompt(text), overflow]);
    expect(answer).toBeTypeOf("string");
  });

  test("what an aborted prompt has dropped does not come back", async () => {
    const session = await Echo.create();
    await fill(session);
    const usage = session.contextUsage;
    const controller = new AbortController();
    session.oncontextoverflow = () => controller.abort();
    expect(await nameOf(session.prompt(SENTENCE, { signal: controller.signal }))).toBe("AbortError");
    expect(session.contextUsage).toBeLessThan(usage);
  });
});

describe("abort", () => {
  const reason = new DOMException("test", "VersionError");

  test("before: the reason itself, of a stream at once", async () => {
    const session = await Nano.create();
    const signal = AbortSignal.abort(reason);
    for (const call of [session.prompt("a", { signal }), session.append("a", { signal }), session.clone({ signal })])
      expect(await caught(call)).toBe(reason);
    expect(() => session.promptStreaming("a", { signal })).toThrow(reason);
    expect(await nameOf(session.prompt("a", { signal: {} } as object))).toBe("TypeError");
  });

  test("while it runs or waits: the pair is gone, and the session goes on", async () => {
    const session = await Nano.create();
    const controller = new AbortController();
    const { signal } = controller;
    const running = [session.prompt("a", { signal }), session.append("b", { signal }), session.clone({ signal })];
    const stream = session.promptStreaming("c", { signal }).pipeTo(new WritableStream());
    controller.abort(reason);
    for (const call of [...running, stream]) expect(await caught(call)).toBe(reason);
    expect(session.contextUsage).toBe(0);
    expect((await session.prompt(SENTENCE)).length).toBeGreaterThan(0);
    expect((await read(session.promptStreaming(SENTENCE))).length).toBeGreaterThan(0);
  });

  test("of an append, while the model reads: nothing stays of it", async () => {
    const controller = new AbortController();
    const base = scripted(model, () => "ok", asked);
    const complete: typeof base.complete = (prompt, options) => {
      if (options?.maxTokens === 0) controller.abort(reason);
      return base.complete(prompt, options);
    };
    const session = await nanoClass({ ...base, complete }).create();
    const { signal } = controller;
    expect(await caught(session.append([{ role: "system", content: "Be brief." }], { signal }))).toBe(reason);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(session.contextUsage).toBe(0);
    await session.prompt("a");
    expect(shown()).toEqual(["user: a", "assistant: "]);
  });

  test("in the midst of an answer", async () => {
    const session = await Echo.create();
    const controller = new AbortController();
    let text = "";
    const reading = async () => {
      const stream = session.promptStreaming("abcdefghij", { signal: controller.signal });
      for await (const chunk of stream as unknown as AsyncIterable<string>) {
        text += chunk;
        if (text === "abc") controller.abort(reason);
      }
    };
    expect(await caught(reading())).toBe(reason);
    expect(text).toBe("abc");
    expect(session.contextUsage).toBe(0);
    await session.prompt("again");
    expect(shown().length).toBe(2);
  });

  test("afterwards: nothing", async () => {
    const session = await Nano.create();
    const controller = new AbortController();
    await session.prompt("a", { signal: controller.signal });
    const usage = session.contextUsage;
    controller.abort();
    expect(session.contextUsage).toBe(usage);
  });

  test("leaving a stream stops the model, and takes the pair with it", async () => {
    const session = await Echo.create();
    for await (const _ of session.promptStreaming("abc") as unknown as AsyncIterable<string>) break;
    await session.prompt("again");
    expect(shown()).toEqual(["user: again", "assistant: "]);
  });
});

test("calls of a session take turns, in their order", async () => {
  const session = await Echo.create();
  const answers = [session.prompt("1"), session.append("2"), read(session.promptStreaming("3")), session.prompt("4")];
  expect(await Promise.all(answers)).toEqual(["1", undefined, "3", "4"]);
  const said = ["user: 1", "assistant: 1", "user: 2", "user: 3", "assistant: 3", "user: 4", "assistant: "];
  expect(shown()).toEqual(said);
});

test("a clone has the past and its own future", async () => {
  const session = await Echo.create({ initialPrompts: [{ role: "system", content: "Be brief." }] });
  await session.prompt("a");
  const clone = await session.clone();
  expect(clone).toBeInstanceOf(Echo);
  expect(clone).toMatchObject({
    contextWindow: session.contextWindow,
    contextUsage: session.contextUsage,
    samplingMode: session.samplingMode,
  });
  const before = session.contextUsage;
  await Promise.all([clone.prompt("b"), session.prompt("c")]);
  expect(clone.contextUsage).toBeGreaterThan(before);
  const first = ["system: Be brief.", "user: a", "assistant: a"];
  const [one, two] = asked.slice(-2).map(({ prompt }) => prompt);
  expect(shown().slice(0, 3)).toEqual(first);
  expect([lastOf(one!), lastOf(two!)].map((text) => text.includes("user\nb"))).toEqual([true, false]);
  session.destroy();
  expect(await clone.prompt("d")).toBe("d");
});

test("clones find what the first has read", async () => {
  const reused: number[] = [];
  const own = await loadShort();
  const complete: Model["complete"] = (prompt, options) => {
    const completion = own.complete(prompt, options);
    const pieces = async function* () {
      yield* completion;
      reused.push(completion.usage!.reusedTokens);
    };
    return { [Symbol.asyncIterator]: pieces, text: () => completion.text() } as unknown as ReturnType<
      Model["complete"]
    >;
  };
  const watched = { info: own.info, closed: false, complete, tokenize: own.tokenize.bind(own), close() {} };
  const LanguageModel = nanoClass(watched, { maxTokens: 2 });
  const session = await LanguageModel.create({ initialPrompts: [{ role: "system", content: SENTENCE.repeat(4) }] });
  for (const text of ["a", "b"]) await (await session.clone()).prompt(text);
  const usage = session.contextUsage;
  for (const tokens of reused) expect(tokens).toBeGreaterThan(usage * 0.8);
  own.close();
});

test("a prompt goes on when nobody holds the session", async () => {
  const { promise } = await (async () => {
    const session = await Nano.create();
    return { promise: session.prompt(SENTENCE) };
  })();
  globalThis.gc?.();
  expect(await promise).toBeTypeOf("string");
});

test("a template that wants turns gets them", async () => {
  const template = `{%- for m in messages -%}
    {%- if m.role == "system" or (m.role == "user") != (loop.index0 % 2 == 0) -%}{{ raise_exception("turns!") }}{%- endif -%}
    {{ "<|im_start|>" ~ m.role ~ "\\n" ~ m.content ~ "<|im_end|>\\n" }}{%- endfor -%}{{ "<|im_start|>assistant\\n" }}`;
  const LanguageModel = nanoClass(
    scripted(model, () => "ok", asked),
    { template },
  );
  const session = await LanguageModel.create({ initialPrompts: [{ role: "system", content: "s" }] });
  await session.append("a");
  await session.prompt("b");
  expect(shown()).toEqual(["user: s\n\na\n\nb", "assistant: "]);
});
