// SmolLM2 beside llama.cpp: 20 conversations, 254 texts, the distributions after 142 tokens, and 28 greedy texts.

import { afterAll, beforeAll, expect, test } from "vitest";
import { load } from "zagreus-edge";
import { CHATS, GREEDY, LOGITS, TEXTS } from "./goldens.mjs";
import { smollm2 } from "./model.mjs";
import { idsOf, repliesTo } from "./suite.mjs";

let model;
beforeAll(async () => {
  model = await load(await smollm2(), { contextLength: 1024, kvType: "f32" });
});
afterAll(() => model?.close());

test("token ids", async () => {
  const wrong = [];
  await idsOf(model, TEXTS, wrong);
  expect(wrong).toEqual([]);
});

test("prompts, and greedy replies as far as they are sure", async () => {
  const wrong = [];
  const replies = await repliesTo(model, CHATS, wrong);
  expect(wrong).toEqual([]);
  expect(new Set(replies.map(({ text }) => text)).size).toBe(CHATS.length);
});

/** Of llama.cpp's 20 best tokens, in nats. */
function divergence(top, logits) {
  const best = logits.reduce((a, b) => Math.max(a, b));
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - best), 0);
  return top.reduce((kl, [token, logp]) => kl + Math.exp(logp) * (logp - (logits[token] - best - Math.log(sum))), 0);
}

test("the next token's probabilities", async () => {
  const found = [];
  for (const { tokens, positions } of LOGITS) {
    const rows = [];
    for await (const row of model.logits(tokens, { all: true })) rows.push(Float32Array.from(row));
    for (const { at, top } of positions) found.push(divergence(top, rows[at]));
  }
  const mean = found.reduce((sum, kl) => sum + kl, 0) / found.length;
  console.log(`mean KL divergence from llama.cpp: ${mean.toExponential(2)}, at most ${Math.max(...found).toFixed(3)}`);
  expect(found).toHaveLength(142);
  expect(mean).toBeLessThan(1e-2); // llama.cpp itself is 4.7e-3 from the same weights in f32 (activations of 8 bits)
});

/** How many tokens are the same. */
function agreed(tokens, others) {
  const parted = tokens.findIndex((token, i) => token !== others[i]);
  return parted < 0 ? tokens.length : parted;
}

test("greedy texts, as far as llama.cpp agrees with itself", async () => {
  const rows = [];
  for (const { prompt, tokens, gaps, f16 } of GREEDY) {
    const completion = model.complete(prompt, { temperature: 0, maxTokens: tokens.length });
    await completion.text();
    const said = [...completion.tokens, ...(completion.endToken ? [completion.endToken.token] : [])];
    const here = agreed(tokens, said);
    rows.push({ tokens: tokens.length, here, f16: agreed(tokens, f16), gap: gaps[here] });
  }
  console.table(rows); // tokens with an f32 cache; the same here, with an f16 cache; logits between the two best where it parts here
  const count = (is) => rows.filter(is).length;
  const far = count(({ here, f16 }) => here >= f16);
  const whole = ["here", "f16"].map((name) => count((row) => row[name] === row.tokens));
  console.log(
    `${far} of ${rows.length} at least as far as llama.cpp's own; to the end: ${whole.join(" here, ")} there`,
  );
  for (const { gap } of rows) expect(gap ?? 0).toBeLessThan(0.5); // apart only where two tokens are nearly tied
});
