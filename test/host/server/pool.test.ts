// Models that are loaded when a request wants them, within a limit of memory.

import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { bundledModel, load, type Model } from "zagreus-edge";
import { createServer, type LazyModel, type ServedModel } from "zagreus-edge/server";
import { Pool, Slot } from "../../../host/core/server/served/pool";
import { loadNano } from "../../support/nano";
import { ask, type Json, metric, refusal, request, stream } from "./harness";

const TEXT = "/v1/completions";
const pause = (ms = 0) => new Promise((resolve) => setTimeout(resolve, ms));

let info: Model["info"];
beforeAll(async () => {
  const model = await loadNano();
  ({ info } = model);
  model.close();
});

/** zagreus-nano as a model that says it takes so much. */
function lazyNano(bytes = 100) {
  const made: Model[] = [];
  const source: LazyModel = {
    measure: async () => bytes,
    async load() {
      made.push(await load(bundledModel));
      return made.at(-1)!;
    },
  };
  return { source, made };
}

test("a model is loaded at its first request, once for all who wait, and gives way to another", async () => {
  const [a, b] = [lazyNano(), lazyNano()];
  const server = createServer({ a: a.source, b: b.source }, { memory: 150 });
  const states = async () => {
    const { data } = await ask(server, "/v1/models");
    return data.map(({ id, status, context_length }: Json) => [id, status.value, context_length]);
  };
  expect(await states()).toEqual([
    ["a", "unloaded", undefined],
    ["b", "unloaded", undefined],
  ]);
  expect((await ask(server, "/health")).status).toBe("ok");
  const answers = await Promise.all(
    [1, 2, 3].map(() => ask(server, TEXT, { model: "a", prompt: "Il re", max_tokens: 3 })),
  );
  expect(answers.map(({ model }) => model)).toEqual(["a", "a", "a"]);
  expect(a.made.length).toBe(1);
  expect(await states()).toEqual([
    ["a", "loaded", info.contextLength],
    ["b", "unloaded", undefined],
  ]);
  await stream(server, TEXT, { model: "b", prompt: "Il re", max_tokens: 3 });
  expect([a.made[0]!.closed, b.made[0]!.closed]).toEqual([true, false]);
  expect((await states()).map(([, status]: string[]) => status)).toEqual(["unloaded", "loaded"]);
  await ask(server, "/v1/embeddings", { model: "a", input: "Il re" });
  expect(a.made.length).toBe(2);
  expect(await metric(server, 'zagreus_model_loads_total{model="a"}')).toBe(2);
  expect(await metric(server, 'zagreus_model_loaded{model="b"}')).toBe(0);
  // One that has failed is loaded again.
  a.made[1]!.close();
  await ask(server, TEXT, { model: "a", prompt: "Il re", max_tokens: 1 });
  expect(a.made.length).toBe(3);
  await server.close();
  expect(a.made[2]!.closed).toBe(true);
});

test("requests in flight keep their model; who comes later for it waits until the other had its turn", async () => {
  const [a, b] = [lazyNano(), lazyNano()];
  const server = createServer({ a: a.source, b: b.source }, { memory: 100 });
  const order: string[] = [];
  const one = (model: string, max_tokens: number) =>
    ask(server, TEXT, { model, prompt: "a", max_tokens, logit_bias: { 8177: -100 } }).then(({ usage }) => {
      order.push(`${model} ${usage.completion_tokens}`);
    });
  const long = one("a", 200);
  while ((await metric(server, 'zagreus_model_loaded{model="a"}')) === 0) await pause(5);
  const other = one("b", 2);
  await pause(20);
  const late = one("a", 1);
  await Promise.all([long, other, late]);
  expect(order).toEqual(["a 200", "b 2", "a 1"]);
  expect([a.made.length, b.made.length]).toEqual([2, 1]);
  await server.close();
});

test("a model that does not fit alone is refused with the figures; one that cannot be loaded says why, and is tried again", async () => {
  let broken = true;
  const nano = lazyNano(5 * 2 ** 20);
  const server = createServer(
    {
      big: lazyNano(10 * 2 ** 20 + 1).source,
      odd: {
        ...nano.source,
        load: async (signal) => (broken ? Promise.reject(new Error("disk")) : nano.source.load(signal)),
      },
    },
    { memory: 10 * 2 ** 20, onError: () => {} },
  );
  const body = { prompt: "a", max_tokens: 1 };
  expect(await refusal(server, TEXT, { ...body, model: "big" })).toMatchObject({
    status: 503,
    code: "model_too_large",
    message: 'model "big" needs 11 MiB, the server has 10 MiB for its models',
  });
  expect(await refusal(server, TEXT, { ...body, model: "odd" })).toMatchObject({ status: 500 });
  broken = false;
  expect((await ask(server, TEXT, { ...body, model: "odd" })).model).toBe("odd");
  await server.close();
});

test("a client that leaves takes nothing from the other who waits for the same load", async () => {
  let loads = 0;
  let go = () => {};
  const nano = lazyNano();
  const source: LazyModel = {
    measure: nano.source.measure,
    async load(signal) {
      loads++;
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      return nano.source.load(signal);
    },
  };
  const server = createServer({ a: source }, { memory: 100, heartbeat: 20 });
  const controller = new AbortController();
  const leaves = server.fetch(request(TEXT, { prompt: "a", max_tokens: 1 }, { signal: controller.signal }));
  const stays = server.fetch(request(TEXT, { prompt: "a", max_tokens: 1, stream: true }));
  await pause(30);
  expect((await ask(server, "/v1/models")).data[0].status.value).toBe("loading");
  controller.abort();
  expect((await leaves).status).toBe(499);
  const answer = await stays; // comments keep it open while the model is loaded
  go();
  const text = await answer.text();
  expect(text).toMatch(/^: waiting\n\n[\s\S]*data: \[DONE\]\n\n$/);
  expect(loads).toBe(1);
  await server.close();
});

test("models that are none", () => {
  const options = { memory: 0 };
  expect(() => createServer({ a: { load() {} } as never })).toThrow('models["a"]');
  expect(() => createServer({ a: lazyNano().source }, options)).toThrow('"memory"');
});

/** What happens at one moment: a request for a model, which works so long, and may leave before it is done. */
const arrival = fc.record({
  model: fc.nat({ max: 2 }),
  at: fc.nat({ max: 12 }),
  works: fc.nat({ max: 4 }),
  leaves: fc.option(fc.nat({ max: 8 }), { nil: undefined }),
});

test("however requests come and go: memory holds its limit, nobody loses a model, everybody ends", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(arrival, { minLength: 1, maxLength: 24 }),
      fc.integer({ min: 4, max: 9 }),
      (all, memory) => play(all, memory),
    ),
    { numRuns: 60 },
  );
}, 60_000);

async function play(all: { model: number; at: number; works: number; leaves: number | undefined }[], memory: number) {
  const pool = new Pool(memory);
  let loading = 0;
  const alive = new Map<object, number>();
  const slots = [2, 3, 4].map((bytes, i) => {
    const source: LazyModel = {
      measure: async () => {
        await pause();
        return bytes;
      },
      async load() {
        expect(++loading).toBe(1);
        await pause();
        loading--;
        const model = { closed: false, close: () => alive.delete(model) };
        alive.set(model, bytes);
        expect([...alive.values()].reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(memory);
        return model as never as ServedModel;
      },
    };
    const slot = new Slot(`m${i}`, source);
    pool.add(slot);
    return slot;
  });
  const run = async ({ model, at, works, leaves }: (typeof all)[number]) => {
    await pause(at);
    const controller = new AbortController();
    if (leaves !== undefined) setTimeout(() => controller.abort(), leaves);
    const slot = slots[model]!;
    const release = await pool.enter(slot, controller.signal).catch((error) => {
      expect(error.code).toBe("ABORTED");
    });
    if (!release) return;
    const mine = slot.model!;
    for (let step = 0; step < works; step++) {
      await pause();
      expect(slot.model).toBe(mine);
      expect(alive.has(mine)).toBe(true);
    }
    release();
    release();
  };
  await Promise.all(all.map(run));
  expect(slots.map(({ users, waiters }) => [users, waiters.size])).toEqual([
    [0, 0],
    [0, 0],
    [0, 0],
  ]);
  pool.close();
  expect(alive.size).toBe(0);
}
