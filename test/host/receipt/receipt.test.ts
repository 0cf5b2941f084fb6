// Receipts: whoever has the model makes the same text of them, and nobody another.

import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundledModel, type GenerateOptions, load, type Model, type Receipt } from "zagreus-edge";
import { parseReceipt, verify } from "zagreus-edge/receipts";
import { createServer } from "zagreus-edge/server";

const PROMPT = "C'era una volta un re";
let model: Model;
let other: Model;
beforeAll(async () => {
  model = await load(bundledModel, { build: "simd" });
  other = await load("test/fixtures/models/zagreus-nano-Q4_0.gguf");
});
afterAll(() => {
  model.close();
  other.close();
});

async function receiptOf(options: GenerateOptions, prompt = PROMPT): Promise<Receipt> {
  const completion = model.complete(prompt, { maxTokens: 12, ...options, receipt: true });
  await completion.text();
  return JSON.parse(JSON.stringify(completion.receipt));
}

test.each<[string, GenerateOptions]>([
  ["greedy", { temperature: 0 }],
  [
    "sampled, with what few hosts know",
    { dry: true, frequencyPenalty: 0.5, logitBias: { 44: Number.NEGATIVE_INFINITY } },
  ],
  ["stopped", { temperature: 0, maxTokens: 60, stop: [",", "\n"] }],
  ["of a schema", { responseFormat: { type: "json_schema", schema: { enum: ["rosso", "verde"] } } }],
  ["of no tokens", { maxTokens: 0 }],
])("a completion, %s", async (_, options) => {
  const receipt = await receiptOf(options);
  expect(receipt.tokens.length > 0).toBe(options.maxTokens !== 0);
  expect(await verify(model, receipt)).toEqual({ equal: true });
});

test("the session goes on as without", async () => {
  const say = async (receipt: boolean) => {
    const session = model.session();
    const texts: string[] = [];
    for (const prompt of [PROMPT, " e", " poi"]) {
      texts.push(await session.complete(prompt, { maxTokens: 9, temperature: 0, stop: " d", receipt }).text());
    }
    return { texts, tokens: session.tokens };
  };
  expect(await say(true)).toEqual(await say(false));
});

test("it is the logits command's hash, and no other build's or model's", async () => {
  const receipt = await receiptOf({ seed: 3 });
  const logits = await model.logits([...receipt.prompt, ...receipt.tokens]);
  const digest = await crypto.subtle.digest("SHA-256", logits.slice());
  expect(receipt.logits).toBe(Buffer.from(digest).toString("hex"));
  expect(await verify(other, receipt)).toMatchObject({ equal: false });
  const threads = await load(bundledModel, { build: "simd-mt", threads: 2 });
  expect(await verify(threads, receipt)).toEqual({ equal: true });
  threads.close();
  const f32 = await load(bundledModel, { kvType: "f32" });
  await expect(verify(f32, receipt)).rejects.toMatchObject({ code: "BAD_RECEIPT", field: "kvType" });
  f32.close();
});

test("whatever is changed is found", async () => {
  const receipt = await receiptOf({ seed: 5 });
  const changes: ((receipt: Receipt) => void)[] = [
    (changed) => changed.tokens.splice(4, 1, 7),
    (changed) => changed.tokens.pop(),
    (changed) => changed.tokens.push(7),
    (changed) => changed.prompt.push(9),
    (changed) => Object.assign(changed, { logits: "0".repeat(64) }),
    (changed) => Object.assign(changed, { model: "0".repeat(16) }),
    (changed) => Object.assign(changed, { finishReason: "stop" }),
    (changed) => Object.assign(changed, { endToken: 2 }),
    (changed) => Object.assign(changed, { seed: "6" }),
    (changed) => Object.assign(changed.options, { temperature: 0.1 }),
  ];
  for (const change of changes) {
    const changed = structuredClone(receipt);
    change(changed);
    expect(await verify(model, changed), change.toString()).toMatchObject({ equal: false });
  }
  const changed = structuredClone(receipt);
  changed.tokens[4] = 7;
  expect(await verify(model, changed)).toEqual({
    equal: false,
    field: "tokens",
    index: 4,
    expected: 7,
    actual: receipt.tokens[4],
  });
});

test("what is no receipt says why", async () => {
  const receipt = await receiptOf({});
  expect(() => parseReceipt({ ...receipt, version: 2 })).toThrow("no receipt: version is 2, must be 1");
  expect(() => parseReceipt({ ...receipt, tokens: ["a"] })).toThrow(
    'no receipt: tokens is ["a"], must be a list of token ids',
  );
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(() => parseReceipt(value)).toThrow(/^no receipt: /);
    }),
  );
  await expect(receiptOf({ overflow: { keep: 2 } })).rejects.toMatchObject({
    code: "INVALID_OPTION",
    field: "receipt",
  });
});

test("the server gives them, whole and in chunks", async () => {
  const server = createServer({ model });
  const ask = (path: string, body: object) =>
    server.fetch(
      new Request(`http://localhost/v1/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ max_tokens: 8, seed: 4, receipt: true, ...body }),
      }),
    );
  const whole = (await (await ask("completions", { prompt: PROMPT })).json()) as { choices: { receipt: Receipt }[] };
  expect(await verify(model, whole.choices[0]!.receipt)).toEqual({ equal: true });
  const text = await (await ask("completions", { prompt: PROMPT, stream: true })).text();
  const chunks = [...text.matchAll(/^data: (\{.*\})$/gm)].map(([, json]) => JSON.parse(json!));
  expect(chunks.flatMap(({ choices }) => choices).at(-1).receipt).toEqual(whole.choices[0]!.receipt);
  const without = await (await ask("completions", { prompt: PROMPT, receipt: false })).text();
  expect(without).not.toContain("receipt");
});

test("from a model in another thread", async () => {
  const offloaded = await load(bundledModel, { offload: true });
  const completion = offloaded.complete(PROMPT, { maxTokens: 6, receipt: true });
  await completion.text();
  expect(await verify(model, completion.receipt)).toEqual({ equal: true });
  await offloaded.close();
});
