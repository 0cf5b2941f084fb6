// How a prompt is read: told as it goes, and stopped.

import { expect, test, vi } from "vitest";
import { bundledModel, load, type PrefillProgress } from "zagreus-edge";
import { caught, loadNano } from "../../support/nano";

const long = (length: number, salt = 0) => Array.from({ length }, (_, i) => (3 + salt + i * 31) % 4096);

/** What onPrefill is told while a prompt is read. */
async function told(model: Awaited<ReturnType<typeof loadNano>>, prompt: number[]): Promise<PrefillProgress[]> {
  const progress: PrefillProgress[] = [];
  await model.complete(prompt, { maxTokens: 1, onPrefill: (each) => progress.push(each) }).text();
  return progress;
}

test("onPrefill is told before the first batch and after every one, what was reused among it", async () => {
  const model = await loadNano();
  const prompt = long(200);
  const first = await told(model, prompt);
  expect(first.length).toBeGreaterThan(2);
  expect(first[0]).toEqual({ done: 0, total: 200, reused: 0 });
  expect(first.at(-1)).toEqual({ done: 200, total: 200, reused: 0 });
  expect(first.map(({ done }) => done)).toEqual(first.map(({ done }) => done).sort((a, b) => a - b));
  const again = await told(model, [...prompt, ...long(100, 7)]);
  expect(again[0]).toEqual({ done: 200, total: 300, reused: 200 });
  expect(again.at(-1)).toEqual({ done: 300, total: 300, reused: 200 });
  for (const { reused } of again) expect(reused).toBe(200);
  expect(() => model.complete("a", { onPrefill: 1 as never })).toThrow('"onPrefill"');
  model.close();
});

test("the same with the model in another thread, in chats too", async () => {
  const model = await load(bundledModel, { offload: true });
  const progress: PrefillProgress[] = [];
  const options = { maxTokens: 1, onPrefill: (each: PrefillProgress) => progress.push(each) };
  await model.complete(long(200), options).text();
  expect(progress.at(-1)).toEqual({ done: 200, total: 200, reused: 0 });
  const { length } = progress;
  await model.chat([{ role: "user", content: "parola ".repeat(60) }], { ...options, template: "chatml" }).text();
  expect(progress.length).toBeGreaterThan(length);
  const onPrefill = () => {
    throw new Error("seen enough");
  };
  await expect(model.complete(long(90, 5), { maxTokens: 2, onPrefill }).text()).rejects.toThrow("seen enough");
  model.close();
});

test("an abort stops the prompt where it is, and the next one goes on from there", async () => {
  const model = await loadNano();
  const prompt = long(400);
  const controller = new AbortController();
  const aborted = model.complete(prompt, {
    maxTokens: 1,
    signal: controller.signal,
    onPrefill: ({ done }) => done >= 100 && controller.abort(),
  });
  await expect(aborted.text()).rejects.toMatchObject({ code: "ABORTED" });
  const [{ reused, done }] = (await told(model, prompt)) as [PrefillProgress];
  expect(reused).toBeGreaterThanOrEqual(100);
  expect(reused).toBeLessThan(400);
  expect(done).toBe(reused);
  model.close();
});

test("an abort is heard between layers, and leaves nothing of what was begun", async () => {
  const model = await loadNano({ threads: 1 });
  const prompt = long(64);
  const greedy = () => model.complete(prompt, { maxTokens: 8, temperature: 0 }).text();
  const text = await greedy();
  let now = 1000;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => (now += 100)); // so that every layer is a step
  try {
    await model.complete(long(16, 5), { maxTokens: 0 }).text(); // which tells what a token costs
    const controller = new AbortController();
    const heard: PrefillProgress[] = [];
    const { signal } = controller;
    const other = long(64, 9);
    const aborted = model.complete(other, { maxTokens: 1, signal, onPrefill: (each) => heard.push(each) }).text();
    let turns = 0;
    const turn = () => (heard.length > 0 && ++turns === 3 ? controller.abort() : setImmediate(turn));
    setImmediate(turn);
    await expect(aborted).rejects.toMatchObject({ code: "ABORTED" });
    expect([turns, heard]).toEqual([3, [{ done: 0, total: 64, reused: 0 }]]);
    expect((await told(model, other))[0]!.reused).toBe(0);
  } finally {
    clock.mockRestore();
  }
  expect(await greedy()).toBe(text);
  model.close();
});

test("while long texts are tokenized, others get their turn between any two pieces of them", async () => {
  const model = await loadNano();
  const pieces = 16;
  const text = "riga\n".repeat((pieces * 65_536) / 5);
  const tokens = model.tokenize(text, { bos: false }).length;
  const ended = new Set<string>();
  const overflow = async (name: string, run: Promise<unknown>) => {
    expect(await caught(run)).toMatchObject({ code: "CONTEXT_OVERFLOW", expected: model.info.contextLength });
    ended.add(name);
  };
  const logitBias = new Map(model.info.tokenizer.end.map((end) => [end, Number.NEGATIVE_INFINITY]));
  const other = model.complete("Il re", { maxTokens: 400, logitBias });
  const reader = other[Symbol.asyncIterator]();
  await reader.next();
  const all = Promise.all([
    overflow("complete", model.complete(text).text()),
    overflow("session", model.session().complete(text).text()),
    overflow("embed", model.embed(text)),
    overflow("chat", model.chat([{ role: "user", content: text }], { template: "chatml" }).text()),
  ]);
  let said = 0;
  for (; ended.size < 4; said++) await reader.next();
  await reader.return!();
  await all;
  expect(tokens).toBeGreaterThan(model.info.contextLength);
  expect(said).toBeGreaterThan(2 * pieces);
  model.close();
});
