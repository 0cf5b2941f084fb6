// model.adapter(): texts with and without adapters, side by side, in sessions, in another thread.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type AdapterUse, bundledModel, load, type Model, type OffloadedModel, ZagreusError } from "zagreus-edge";
import { bits, caught, GREEDY, PROMPT } from "../../support/nano";
import { bytesOf, LORA } from "../adapters/support";

type AnyModel = Model | OffloadedModel;
const ROOM = { adapters: { slots: 2, rank: 16 }, contextLength: 512, threads: 1 } as const;
const UPPER = join(LORA, "upper");
const RECIPE = join(LORA, "recipe-f16.gguf");

const models: AnyModel[] = [];
afterAll(() => {
  for (const model of models) model.close();
});
const kept = <T extends AnyModel>(model: T): T => {
  models.push(model);
  return model;
};

const plain = kept(await load(bundledModel, { contextLength: 512, threads: 1 }));
const here = kept(await load(bundledModel, ROOM));
const there = kept(await load(bundledModel, { ...ROOM, offload: true }));
const TOKENS = plain.tokenize(PROMPT);
const OPTIONS = { ...GREEDY, maxTokens: 12 };

describe.each([
  ["beside the caller", here],
  ["in a thread", there],
] as [string, AnyModel][])("%s", (_, model) => {
  const say = (adapters?: readonly AdapterUse[], prompt = PROMPT) =>
    model.complete(prompt, { ...OPTIONS, adapters }).text();

  test("says what the adapter is, applies it where it is asked for, and closes", async () => {
    using upper = await model.adapter(UPPER);
    expect(upper).toMatchObject({ name: UPPER, rank: 8, closed: false });
    expect(upper.bytes).toBeGreaterThan(0);
    const off = await plain.complete(PROMPT, OPTIONS).text();
    const on = await say([{ adapter: upper }]);
    expect(on).not.toBe(off);
    expect(await say()).toBe(off);
    expect(await say([{ adapter: upper, scale: 0 }])).toBe(off);
    expect(await say([{ adapter: upper }])).toBe(on);
    upper.close();
    expect(upper.closed).toBe(true);
    expect(await caught(say([{ adapter: upper }]))).toMatchObject({
      code: "INVALID_OPTION",
      field: "adapters[0].adapter",
    });
    expect(await say()).toBe(off);
  });

  test("bits: off is the base, formats and orders are the same, halves add up", async () => {
    using folder = await model.adapter(UPPER);
    const logits = async (adapters?: readonly AdapterUse[]) => bits(await model.logits(TOKENS, { adapters }));
    const off = bits(await plain.logits(TOKENS));
    expect(await logits()).toEqual(off);
    expect(await logits([{ adapter: folder, scale: 0 }])).toEqual(off);
    const one = await logits([{ adapter: folder }]);
    expect(one).not.toEqual(off);
    expect(
      await logits([
        { adapter: folder, scale: 0.5 },
        { adapter: folder, scale: 0.5 },
      ]),
    ).toEqual(one);
    {
      using gguf = await model.adapter(bytesOf("upper-f32.gguf"));
      expect(gguf.hash).toBe(folder.hash);
      expect(await logits([{ adapter: gguf }])).toEqual(one);
    }
    using recipe = await model.adapter(RECIPE);
    const both = await logits([{ adapter: folder }, { adapter: recipe }]);
    expect(await logits([{ adapter: recipe }, { adapter: folder }])).toEqual(both);
    for await (const row of model.logits(TOKENS.slice(0, 1), { all: true, adapters: [{ adapter: folder }] })) {
      expect(bits(row)).not.toEqual(bits(await plain.logits(TOKENS.slice(0, 1))));
    }
  });

  test("what was read with one list is not taken for another", async () => {
    using upper = await model.adapter(UPPER);
    using recipe = await model.adapter(RECIPE);
    const lists: (readonly AdapterUse[])[] = [
      [{ adapter: upper }],
      [],
      [{ adapter: recipe }],
      [{ adapter: upper, scale: 0.5 }],
      [{ adapter: upper }, { adapter: recipe }],
    ];
    const fresh: string[] = [];
    for (const [i, list] of lists.entries()) {
      const completion = model.complete(PROMPT, { ...OPTIONS, adapters: list, cacheSalt: `fresh ${i}` });
      fresh.push(await completion.text());
    }
    for (const round of [0, 1]) {
      for (const [i, list] of lists.entries()) {
        const completion = model.complete(`${PROMPT} `, { ...OPTIONS, adapters: list });
        await completion.text();
        if (round === 1) expect(completion.usage!.reusedTokens).toBeGreaterThan(0);
        expect(await say(list)).toBe(fresh[i]);
      }
    }
    expect(new Set(fresh).size).toBeGreaterThan(3);
  });

  test("scores, vectors and chats go through them too", async () => {
    using upper = await model.adapter(UPPER);
    const adapters = [{ adapter: upper }];
    const score = async (with_: object) => (await model.logprobs(TOKENS, with_)).map(({ logprob }) => logprob);
    expect(await score({ adapters })).not.toEqual(await score({}));
    expect(await model.embed(PROMPT, { adapters })).not.toEqual(await model.embed(PROMPT));
    const chat = (with_: object) =>
      model.chat([{ role: "user", content: "Ciao" }], { ...OPTIONS, template: "chatml", ...with_ }).text();
    expect(await chat({ adapters })).not.toBe(await chat({}));
  });

  test("a session has a list, and its snapshot is for that list", async () => {
    using upper = await model.adapter(UPPER);
    const adapters = [{ adapter: upper }];
    const session = model.session({ adapters });
    const first = await session.complete(PROMPT, OPTIONS).text();
    expect(first).toBe(await say(adapters));
    const snapshot = await session.save();
    const second = await session.complete(" e", OPTIONS).text();
    const restored = await model.restore(snapshot, { adapters });
    const again = restored.complete(" e", OPTIONS);
    expect(await again.text()).toBe(second);
    expect(again.usage!.reusedTokens).toBeGreaterThan(10);
    for (const other of [{}, { adapters: [{ adapter: upper, scale: 0.5 }] }]) {
      expect(await caught(model.restore(snapshot, other))).toMatchObject({ code: "FOREIGN_SNAPSHOT" });
    }
    expect(await caught(() => session.complete("x", { ...OPTIONS, adapters }).text())).toMatchObject({
      code: "INVALID_OPTION",
    });
  });

  test("what runs when an adapter is closed goes on with it, even when another one gets its room", async () => {
    using recipe = await model.adapter(RECIPE);
    const upper = await model.adapter(UPPER);
    const alone = await say([{ adapter: upper }]);
    let text = "";
    let other: Promise<{ close(): void }> | undefined;
    for await (const piece of model.complete(PROMPT, { ...OPTIONS, adapters: [{ adapter: upper }] })) {
      text += piece.text;
      if (other) continue;
      upper.close();
      other = model.adapter(RECIPE);
    }
    expect(text).toBe(alone);
    (await other!).close();
    expect(await say([{ adapter: recipe }])).not.toBe(alone);
  });

  test("those that are loaded at once get a slot each, and one that finds none is refused", async () => {
    const files = [bytesOf("upper-f16.gguf"), bytesOf("recipe-f16.gguf"), bytesOf("upper-f16.gguf")];
    const alone: string[] = [];
    for (const bytes of files.slice(0, 2)) {
      using adapter = await model.adapter(bytes);
      alone.push(await say([{ adapter }]));
    }
    const loads = files.map((bytes) => model.adapter(bytes).catch((error) => error));
    const [first, second, third] = await Promise.all(loads);
    expect(third).toMatchObject({ code: "INVALID_OPTION", field: "adapters.slots" });
    expect(await Promise.all([first, second].map((adapter) => say([{ adapter }])))).toEqual(alone);
    first.close();
    second.close();
  });

  test("several at once, each with its own list, have the bits that each has alone", async () => {
    using upper = await model.adapter(UPPER);
    using recipe = await model.adapter(RECIPE);
    const lists: (readonly AdapterUse[])[] = [
      [],
      [{ adapter: upper }],
      [{ adapter: recipe, scale: 0.7 }],
      [{ adapter: recipe }, { adapter: upper, scale: 0.5 }],
    ];
    const run = async (i: number, salt: string) => {
      const options = { ...OPTIONS, adapters: lists[i], logprobs: 2, cacheSalt: `${salt} ${i}` };
      const pieces: unknown[] = [];
      for await (const { token, logprob, topLogprobs } of model.complete(PROMPT, options)) {
        pieces.push([token, logprob, topLogprobs]);
      }
      return pieces;
    };
    const alone: unknown[][] = [];
    for (const i of lists.keys()) alone.push(await run(i, "alone"));
    expect(new Set(alone.map((pieces) => JSON.stringify(pieces))).size).toBe(4);
    expect(await Promise.all(Array.from(lists.keys(), (i) => run(i, "together")))).toEqual(alone);
  });

  test("what has no room, fits nothing or is none is refused, and the model answers as before", async () => {
    const before = await say();
    using _one = await model.adapter(UPPER);
    using _two = await model.adapter(UPPER);
    expect(await caught(model.adapter(UPPER))).toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining("slots"),
    });
    _two.close();
    const { cases } = JSON.parse(readFileSync(join(LORA, "bad/bad.json"), "utf8")) as {
      cases: { path: string; mentions: string[] }[];
    };
    for (const { path, mentions } of cases) {
      const error = await caught(model.adapter(join(LORA, "bad", path)));
      expect(error).toBeInstanceOf(ZagreusError);
      for (const mention of mentions) expect((error as Error).message).toMatch(new RegExp(mention));
    }
    for (const source of ["/nowhere", "/nowhere.gguf"]) {
      expect(await caught(model.adapter(source))).toMatchObject({ code: "SOURCE_FAILED" });
    }
    expect(await caught(model.adapter(7 as never))).toMatchObject({ code: "INVALID_OPTION" });
    const wrong: [unknown, RegExp][] = [
      [{}, /adapters/],
      [[{}], /adapters\[0\]\.adapter/],
      [[{ adapter: { id: "x" } }], /adapters\[0\]\.adapter/],
      [[{ adapter: _one, scale: Number.NaN }], /adapters\[0\]\.scale/],
      [[{ adapter: _one, factor: 1 }], /factor/],
    ];
    for (const [adapters, message] of wrong) {
      const run = () => model.complete(PROMPT, { ...OPTIONS, adapters: adapters as never }).text();
      expect(await caught(run)).toMatchObject({ code: "INVALID_OPTION", message: expect.stringMatching(message) });
    }
    expect(await say()).toBe(before);
    const controller = new AbortController();
    controller.abort();
    expect(await caught(model.adapter(UPPER, { signal: controller.signal }))).toMatchObject({ code: "ABORTED" });
  });
});

test("a model without room for adapters says so, and those of one model are not another's", async () => {
  expect(await caught(plain.adapter(UPPER))).toMatchObject({ code: "INVALID_OPTION", field: "adapters" });
  using upper = await here.adapter(UPPER);
  const run = () => plain.complete(PROMPT, { ...OPTIONS, adapters: [{ adapter: upper }] }).text();
  expect(await caught(run)).toMatchObject({ code: "INVALID_OPTION" });
  using small = await load(bundledModel, { ...ROOM, adapters: { slots: 1, rank: 8 } });
  expect(await caught(small.adapter(RECIPE))).toMatchObject({
    code: "INVALID_OPTION",
    message: expect.stringMatching(/rank 16.*rank: 8/),
  });
  expect(small.info.plan.adapters).toBeGreaterThan(0);
  expect(plain.info.plan.adapters).toBe(0);
  expect(await caught(load(bundledModel, { adapters: { slots: 17 } }))).toMatchObject({ code: "INVALID_OPTION" });
});

test("all of the web's forms", async () => {
  const bytes = bytesOf("upper-f16.gguf");
  const config = bytesOf("upper/adapter_config.json");
  const weights = bytesOf("upper/adapter_model.safetensors");
  const hashes: string[] = [];
  for (const source of [
    bytes,
    bytes.buffer.slice(0),
    new Blob([bytes]),
    new Response(bytes),
    join(LORA, "upper-f16.gguf"),
  ]) {
    using adapter = await here.adapter(source as Uint8Array);
    hashes.push(adapter.hash);
  }
  expect(new Set(hashes).size).toBe(1);
  using both = await here.adapter({ config, weights: new Blob([weights]) });
  using file = await here.adapter(join(UPPER, "adapter_model.safetensors"));
  expect(both.hash).toBe(file.hash);
});
