// A model in shards is the model: texts and logits to the bit, whatever happens on the way.

import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { bundledModel, load, type Model, type Source } from "zagreus-edge";
import { loadShard, loadSharded } from "zagreus-edge/shards";
import { heldText } from "../../support/core";
import { caught, GREEDY, PROMPT } from "../../support/nano";
import { Served } from "./channels";

const BOOK = heldText("ita").subarray(0, 2000).toString();
const Q4 = fileURLToPath(new URL("../../fixtures/models/zagreus-nano-Q4_0.gguf", import.meta.url));
const OPTIONS = { build: "simd", contextLength: 256, sequences: 4 } as const;
const QUICK = { timeoutMs: 20_000, patienceMs: 2000 };

const opened: { close(): void }[] = [];
afterAll(() => {
  for (const each of opened) each.close();
});

async function shardsOf(source: Source, ends: readonly number[], options = {}): Promise<Served[]> {
  return Promise.all(
    ends.map(async (end, i) => {
      const shard = await loadShard(source, { ...OPTIONS, ...options, layers: [ends[i - 1] ?? 0, end] });
      opened.push(shard);
      return new Served(shard);
    }),
  );
}

async function sharded(source: Source, served: readonly Served[], options = {}): Promise<Model> {
  const connects = served.map(({ connect }) => connect);
  const model = await loadSharded(source, connects, { ...OPTIONS, ...QUICK, ...options });
  opened.push(model);
  return model;
}

async function whole(source: Source, options = {}): Promise<Model> {
  const model = await load(source, { ...OPTIONS, ...options });
  opened.push(model);
  return model;
}

const text = (model: Model, prompt: string, options = {}) =>
  model.complete(prompt, { ...GREEDY, maxTokens: 24, ...options }).text();

describe.each<[string, Source]>([
  ["Q8_0", bundledModel],
  ["Q4_0", Q4],
])("%s", (_, source) => {
  test.each([[[8]], [[3, 8]], [[2, 5, 8]]])(
    "layers that end at %j: the same logits, texts, scores and vectors",
    async (ends) => {
      const [alone, model] = [await whole(source), await sharded(source, await shardsOf(source, ends))];
      const tokens = alone.tokenize(BOOK).slice(0, 100);
      expect(model.tokenize(BOOK).slice(0, 100)).toEqual(tokens);
      const [rows, expected] = [[], []] as [Float32Array[], Float32Array[]];
      for await (const row of model.logits(tokens, { all: true })) rows.push(row);
      for await (const row of alone.logits(tokens, { all: true })) expected.push(row);
      expect(rows).toEqual(expected);
      for (const options of [
        {},
        { temperature: 1, seed: 7, repetitionPenalty: 1.2 },
        { promptLookup: true },
        { logprobs: 2 },
      ])
        expect(await text(model, PROMPT, options)).toBe(await text(alone, PROMPT, options));
      expect(await model.embed(BOOK.slice(0, 200))).toEqual(await alone.embed(BOOK.slice(0, 200)));
      expect(await model.logprobs(tokens, { top: 2 })).toEqual(await alone.logprobs(tokens, { top: 2 }));
    },
  );
});

test.each(["int4", "f16", "f32"] as const)("%s KV", async (kvType) => {
  const alone = await whole(bundledModel, { kvType });
  const model = await sharded(bundledModel, await shardsOf(bundledModel, [5, 8], { kvType }), { kvType });
  const tokens = alone.tokenize(BOOK).slice(0, 70);
  expect(await model.logits(tokens)).toEqual(await alone.logits(tokens));
  expect(await text(model, BOOK.slice(0, 200))).toBe(await text(alone, BOOK.slice(0, 200)));
});

describe("many at once", () => {
  const prompts = [
    PROMPT,
    "Nel mezzo del cammin",
    "The quick brown fox",
    `${BOOK.slice(0, 300)}`,
    `${BOOK.slice(0, 150)}`,
    "Il",
  ];

  test("each text is the one that it is alone, also where pages end, and passes overlap", async () => {
    const alone = await whole(bundledModel);
    const expected = [];
    for (const [i, prompt] of prompts.entries())
      expected.push(await text(alone, prompt, { temperature: 0.9, seed: i }));
    for (const cacheBudget of [2 ** 20, 0]) {
      const model = await sharded(bundledModel, await shardsOf(bundledModel, [4, 8], { cacheBudget }));
      for (let round = 0; round < 3; round++) {
        const texts = prompts.map((prompt, i) =>
          text(model, prompt, { temperature: 0.9, seed: i, client: `${i % 2}` }),
        );
        expect(await Promise.all(texts)).toEqual(expected);
      }
      const { running, waiting, cache } = model.stats();
      expect({ running, waiting, used: cache.used }).toEqual({ running: 0, waiting: 0, used: 0 });
    }
  });

  test("a prompt is in several shards at once", async () => {
    const served = await shardsOf(bundledModel, [4, 8]);
    const model = await sharded(bundledModel, served);
    const watch = new Set<number>();
    const begun = model.complete(BOOK.slice(0, 600), {
      ...GREEDY,
      maxTokens: 1,
      onPrefill: ({ done }) => void watch.add(done),
    });
    await begun.text();
    expect(watch.size).toBeGreaterThan(2);
  });

  test("who is aborted goes at once, and leaves the others alone", async () => {
    const model = await sharded(bundledModel, await shardsOf(bundledModel, [4, 8]));
    const expected = await text(await whole(bundledModel), PROMPT);
    const leaving = new AbortController();
    const aborted = text(model, BOOK.slice(0, 800), { maxTokens: 200, signal: leaving.signal });
    const others = [text(model, PROMPT), text(model, PROMPT)];
    setTimeout(() => leaving.abort(), 60);
    expect(await caught(aborted)).toMatchObject({ code: "ABORTED" });
    expect(await Promise.all(others)).toEqual([expected, expected]);
    expect(await text(model, PROMPT)).toBe(expected);
  });

  test("sessions, chats and snapshots", async () => {
    const [alone, model] = [
      await whole(bundledModel),
      await sharded(bundledModel, await shardsOf(bundledModel, [3, 8])),
    ];
    const turns = async (from: Model) => {
      const session = from.session();
      const texts = [];
      for (const prompt of [PROMPT, " e poi", "."])
        texts.push(await session.complete(prompt, { ...GREEDY, maxTokens: 8 }).text());
      const restored = await from.restore(await session.save());
      session.close();
      texts.push(await restored.complete(" Ma", { ...GREEDY, maxTokens: 8 }).text());
      return texts;
    };
    expect(await turns(model)).toEqual(await turns(alone));
  });
});

describe("when a shard is lost", () => {
  const pieces = async (model: Model, at: number, then: () => void, prompt = PROMPT) => {
    let said = "";
    let count = 0;
    for await (const { text } of model.complete(prompt, { ...GREEDY, maxTokens: 24 })) {
      said += text;
      if (++count === at) then();
    }
    return said;
  };

  test("and comes back empty, the text is the same", async () => {
    const expected = await text(await whole(bundledModel), PROMPT);
    const served = await shardsOf(bundledModel, [4, 8]);
    const model = await sharded(bundledModel, served);
    for (const at of [1, 5, 20]) {
      for (const [i, lost] of served.entries()) {
        const fresh = (await shardsOf(bundledModel, i === 0 ? [4] : [4, 8]))[i]!;
        const said = pieces(model, at, () => {
          lost.cut();
          lost.shard.close();
          lost.shard = fresh.shard;
        });
        expect(await said).toBe(expected);
      }
    }
    expect(model.stats().recomputedTokens).toBeGreaterThan(0);
    const several = [1, 2, 3].map((at) => pieces(model, at, () => served[at % 2]!.cut()));
    expect(await Promise.all(several)).toEqual([expected, expected, expected]);
  });

  test("while a prompt is read, and while nothing runs", async () => {
    const prompt = BOOK.slice(0, 500);
    const expected = await text(await whole(bundledModel), prompt);
    const served = await shardsOf(bundledModel, [4, 8]);
    const model = await sharded(bundledModel, served);
    let cuts = 0;
    const onPrefill = () => void (cuts++ === 1 && served[1]!.cut());
    expect(await text(model, prompt, { onPrefill })).toBe(expected);
    served[0]!.cut();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await text(model, prompt)).toBe(expected);
  });

  test("and stays away, the error says so, until it is back", async () => {
    const expected = await text(await whole(bundledModel), PROMPT);
    const served = await shardsOf(bundledModel, [4, 8]);
    const model = await sharded(bundledModel, served, { patienceMs: 200 });
    const [, second] = served as [Served, Served];
    const failing = pieces(model, 2, () => {
      second.away = true;
      second.cut();
    });
    expect(await caught(failing)).toMatchObject({
      code: "SHARD_FAILED",
      message: expect.stringContaining("shard 2: nobody is there"),
    });
    second.away = false;
    expect(await text(model, PROMPT)).toBe(expected);
  });

  test("and again and again, it is given up", async () => {
    const served = await shardsOf(bundledModel, [8]);
    const model = await sharded(bundledModel, served);
    const [only] = served as [Served];
    let hellos = 0;
    // Every answer that is no HELLO takes the connection with it.
    only.meddle = (bytes) => {
      if (bytes[3] === 1) hellos++;
      else only.cut();
      return bytes[3] === 1 ? bytes : undefined;
    };
    only.cut();
    expect(await caught(text(model, PROMPT))).toMatchObject({ code: "SHARD_FAILED" });
    expect(hellos).toBeLessThan(8);
    only.meddle = undefined;
    only.cut();
    expect(await text(model, PROMPT)).toBe(await text(await whole(bundledModel), PROMPT));
  });

  test("a stalled one is taken for lost", async () => {
    const served = await shardsOf(bundledModel, [8]);
    const model = await sharded(bundledModel, served, { timeoutMs: 300 });
    const [only] = served as [Served];
    let stalls = 1;
    only.meddle = (bytes) => (bytes[3] === 3 && stalls-- > 0 ? undefined : bytes);
    only.cut();
    expect(await text(model, PROMPT)).toBe(await text(await whole(bundledModel), PROMPT));
    expect(stalls).toBeLessThan(0);
  });

  test("a shard whose connections nobody ends goes on anew, and answers none of them any more", async () => {
    const served = await shardsOf(bundledModel, [4, 8]);
    const model = await sharded(bundledModel, served);
    const [first] = served as [Served];
    const expected = await text(await whole(bundledModel), PROMPT);
    expect(await text(model, PROMPT)).toBe(expected);
    first.shard = first.shard.anew();
    expect(await text(model, PROMPT)).toBe(expected);
    expect(first.lines).toHaveLength(2);
    expect(await first.ends[0]).toBe("ended");
  });

  test("a model that is closed lets go of its shards", async () => {
    const served = await shardsOf(bundledModel, [4, 8]);
    const model = await sharded(bundledModel, served);
    const running = caught(text(model, PROMPT, { maxTokens: 200 }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    model.close();
    expect(await running).toMatchObject({ code: "CLOSED" });
    for (const { ends } of served) expect(await Promise.all(ends)).toEqual(["ended"]);
  });
});

describe("what is wrong is an error with words", () => {
  test("a damaged frame, of any byte", async () => {
    const served = await shardsOf(bundledModel, [8]);
    const model = await sharded(bundledModel, served);
    const expected = await text(await whole(bundledModel), PROMPT);
    const [only] = served as [Served];
    for (const at of [0, 2, 3, 4, 6, 9, 12, 16, 20, 500]) {
      let rows = 0;
      only.meddle = (bytes) => {
        if (bytes[3] === 3 && ++rows === 2) bytes[at]! ^= 0x40;
        return bytes;
      };
      only.cut();
      expect(await caught(text(model, PROMPT)), `byte ${at}`).toMatchObject({
        code: "SHARD_FAILED",
        message: expect.stringContaining("a frame of a shard's connection is damaged"),
      });
      only.meddle = undefined;
      only.cut();
      expect(await text(model, PROMPT)).toBe(expected);
    }
  });

  test("shards of another model, in another order, with another cache, or too few of them", async () => {
    const failure = (field: string) => ({ code: "SHARD_FAILED", field });
    const [first, second] = (await shardsOf(bundledModel, [4, 8])) as [Served, Served];
    const refused = async (served: Served[], options = {}) => caught(sharded(bundledModel, served, options));
    expect(await refused([second, first])).toMatchObject(failure("first"));
    expect(await refused([first])).toMatchObject(failure("end"));
    expect(await refused([first, second], { kvType: "f32" })).toMatchObject(failure("kvType"));
    expect(await refused([first, second], { contextLength: 512 })).toMatchObject(failure("contextLength"));
    expect(await refused([first, second], { sequences: 5 })).toMatchObject(failure("sequences"));
    expect(await refused(await shardsOf(Q4, [8]))).toMatchObject(failure("model"));
    expect(await caught(loadShard(bundledModel, { layers: [4, 9] }))).toMatchObject({
      code: "INVALID_OPTION",
      value: 9,
    });
    expect(await caught(loadShard(bundledModel, { layers: [4, 4] }))).toMatchObject({
      code: "INVALID_OPTION",
      field: "layers",
    });
    const kept = { layers: [0, 4], promptCache: true } as const;
    expect(await caught(loadShard(bundledModel, kept as never))).toMatchObject({ field: "promptCache" });
    expect(await caught(loadSharded(bundledModel, []))).toMatchObject({ code: "INVALID_OPTION", field: "shards" });
  });
});
