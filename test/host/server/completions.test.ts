import { afterAll, beforeAll, expect, test } from "vitest";
import type { Model } from "zagreus-edge";
import { createServer, type Server } from "zagreus-edge/server";
import { GREEDY, loadNano, PROMPT } from "../../support/nano";
import { ask, type Json, refusal, request, stream } from "./harness";

const PATH = "/v1/completions";
let model: Model;
let server: Server;
beforeAll(async () => {
  model = await loadNano();
  server = createServer(model);
});
afterAll(() => model.close());

const complete = (body: object) => ask(server, PATH, body);

test("a completion is the model's own", async () => {
  const completion = model.complete(PROMPT, { maxTokens: 12, temperature: 0.9, topP: 0.9, seed: 7 });
  const text = await completion.text();
  const body = { model: "zagreus-nano", prompt: PROMPT, max_tokens: 12, temperature: 0.9, top_p: 0.9, seed: 7 };
  const answer = await complete(body);
  expect(answer).toMatchObject({
    object: "text_completion",
    model: "zagreus-nano",
    choices: [{ text, index: 0, logprobs: null, finish_reason: "length" }],
  });
  expect(answer.id).toMatch(/^cmpl-\w{32}$/);
  expect(Math.abs(answer.created - Date.now() / 1000)).toBeLessThan(60);
  const { promptTokens } = completion.usage!;
  expect(answer.usage).toMatchObject({
    prompt_tokens: promptTokens,
    completion_tokens: 12,
    total_tokens: promptTokens + 12,
    prompt_tokens_details: { cached_tokens: promptTokens - 1 },
  });
});

test("every sampling field arrives", async () => {
  const options = { temperature: 1.5, topK: 30, topP: 0.8, minP: 0.02, repetitionPenalty: 1.3, seed: 11n };
  const [stop, bias] = [[" e", "zzz"], { 44: 3 }];
  const text = await model.complete(PROMPT, { ...options, maxTokens: 30, stop, logitBias: bias }).text();
  const fields = { temperature: 1.5, top_k: 30, top_p: 0.8, min_p: 0.02, repetition_penalty: 1.3, seed: 11 };
  const body = { prompt: PROMPT, ...fields, stop, logit_bias: bias, max_tokens: 30 };
  expect((await complete(body)).choices[0].text).toBe(text);
  expect((await complete({ ...body, seed: 12 })).choices[0].text).not.toBe(text);
  // What is null is not there; what is unknown is ignored.
  expect((await complete({ ...body, suffix: null, n: null, presence_penalty: 0, user: "me" })).choices[0].text).toBe(
    text,
  );
});

test("penalties arrive, in llama-server's words too", async () => {
  const dry = { multiplier: 1.5, base: 1.2, allowedLength: 1, penaltyLastN: 300, sequenceBreakers: ["a"] };
  const penalties = { frequencyPenalty: 0.4, presencePenalty: -0.3, dry };
  const fields = { prompt: PROMPT, max_tokens: 30, ...GREEDY, frequency_penalty: 0.4, presence_penalty: -0.3 };
  const text = await model.complete(PROMPT, { temperature: 0, maxTokens: 30, ...penalties }).text();
  const own = { dry_multiplier: 1.5, dry_base: 1.2, dry_allowed_length: 1, dry_penalty_last_n: 300 };
  for (const dry_sequence_breakers of [["a"], '["a"]']) {
    expect((await complete({ ...fields, ...own, dry_sequence_breakers })).choices[0].text).toBe(text);
  }
  const without = (await complete({ ...fields, ...own, dry_multiplier: 0 })).choices[0].text;
  expect(without).not.toBe(text);
  expect((await complete({ ...fields, ...own, dry_penalty_last_n: 0 })).choices[0].text).toBe(without);
  const all = await complete({ ...fields, dry_multiplier: 1, dry_penalty_last_n: -1 });
  const context = { ...penalties, dry: { multiplier: 1, penaltyLastN: 512 } };
  expect(all.choices[0].text).toBe(await model.complete(PROMPT, { temperature: 0, maxTokens: 30, ...context }).text());
});

test("a negative seed is a seed", async () => {
  const expected = await model.complete(PROMPT, { maxTokens: 8, seed: 2n ** 64n - 5n }).text();
  expect((await complete({ prompt: PROMPT, max_tokens: 8, seed: -5 })).choices[0].text).toBe(expected);
});

test("16 tokens where nothing is said of them", async () => {
  expect((await complete({ prompt: PROMPT })).usage.completion_tokens).toBe(16);
});

test("prompts in batches, as texts or tokens, with several choices", async () => {
  const prompts = [PROMPT, "Once upon a time"];
  const single = async (prompt: unknown, seed: number) =>
    (await complete({ prompt, max_tokens: 6, seed, temperature: 1 })).choices[0].text;
  const expected = [];
  for (const prompt of prompts) for (const seed of [3, 4]) expected.push(await single(prompt, seed));
  const together = { max_tokens: 6, seed: 3, temperature: 1, n: 2 };
  const answer = await complete({ prompt: prompts, ...together });
  expect(answer.choices.map(({ index, text }: Json) => [index, text])).toEqual(expected.map((text, i) => [i, text]));
  const tokens = prompts.map((prompt) => model.tokenize(prompt));
  const byTokens = await complete({ prompt: tokens, ...together });
  expect(byTokens.choices).toEqual(answer.choices);
  expect(byTokens.usage.prompt_tokens).toBe(tokens.flat().length);
  expect(byTokens.usage.completion_tokens).toBe(24);
  expect((await complete({ prompt: tokens[0], max_tokens: 6, seed: 4, temperature: 1 })).choices[0].text).toBe(
    expected[1],
  );
});

test("echo and logprobs score a text as lm-evaluation-harness reads them", async () => {
  const context = model.tokenize(PROMPT);
  const tokens = [...context, ...model.tokenize(" tre figlie", { bos: false })];
  const body = { prompt: [tokens], temperature: 0, max_tokens: 1, logprobs: 1, seed: 1234, echo: true };
  const { choices } = await complete(body);
  const { logprobs, text } = choices[0];
  const scored = await model.logprobs(tokens, { top: 1 });
  expect(logprobs.token_logprobs).toHaveLength(tokens.length + 1);
  expect(logprobs.token_logprobs.slice(0, -1)).toEqual(scored.map(({ logprob }) => logprob));
  expect(logprobs.top_logprobs[0]).toBeNull();
  // Its test for greedy continuations: the token's value is the largest of the alternatives.
  const greedy = (i: number) =>
    Math.max(...Object.values<number>(logprobs.top_logprobs[i])) === logprobs.token_logprobs[i];
  for (let i = 1; i < tokens.length; i++) {
    expect(greedy(i)).toBe(scored[i]!.topLogprobs[0]!.token === scored[i]!.token);
  }
  expect(greedy(tokens.length)).toBe(true);
  expect(text.startsWith(model.detokenize(tokens))).toBe(true);
  expect(logprobs.tokens.slice(1).join("")).toBe(text);
  logprobs.text_offset.slice(1).forEach((offset: number, i: number) => {
    expect(text.slice(offset).startsWith(logprobs.tokens[i + 1])).toBe(true);
  });
  // Without a new token there is just the prompt.
  const none = (await complete({ ...body, max_tokens: 0 })).choices[0];
  expect(none.logprobs.token_logprobs).toEqual(logprobs.token_logprobs.slice(0, -1));
  expect(none).toMatchObject({ text: model.detokenize(tokens), finish_reason: "length" });
});

test("echo of a text is the text, not what its tokens say", async () => {
  const prompt = "a <|im_start|> \ufffd 🦊";
  const [choice] = (await complete({ prompt, echo: true, max_tokens: 2, ...{ temperature: 0 } })).choices;
  expect(choice.text.startsWith(prompt)).toBe(true);
  expect(choice.logprobs).toBeNull();
});

test("a token that ends the text is an entry of logprobs, and none of the text", async () => {
  const [end] = model.info.tokenizer.end;
  const body = { prompt: PROMPT, max_tokens: 3, logprobs: 2, temperature: 0, logit_bias: { [end!]: 100 } };
  const { choices, usage } = await complete(body);
  expect(choices[0]).toMatchObject({ text: "", finish_reason: "stop" });
  expect(usage.completion_tokens).toBe(0);
  const scored = (await model.logprobs([...model.tokenize(PROMPT), end!])).at(-1)!;
  expect(choices[0].logprobs.token_logprobs).toEqual([
    Math.max(
      ...(await Promise.all(
        model.info.tokenizer.end.map(
          async (id) => (await model.logprobs([...model.tokenize(PROMPT), id])).at(-1)!.logprob!,
        ),
      )),
    ),
  ]);
  expect(choices[0].logprobs.token_logprobs[0]).toBeGreaterThanOrEqual(scored.logprob!);
  const echoed = await complete({ ...body, echo: true });
  expect(echoed.choices[0].logprobs.tokens).toHaveLength(model.tokenize(PROMPT).length + 1);
  // A stop string has no entry: the tokens that it is of have theirs.
  const { logit_bias: _, ...plain } = body;
  const long = await complete({ ...plain, max_tokens: 20 });
  const stop = long.choices[0].logprobs.tokens[5];
  const stopped = await complete({ ...plain, max_tokens: 20, stop });
  expect(stopped.choices[0].finish_reason).toBe("stop");
  const { tokens } = stopped.choices[0].logprobs;
  expect(tokens).toEqual(long.choices[0].logprobs.tokens.slice(0, tokens.length));
});

test("logprobs of a text that ends because nothing may follow have its own tokens only", async () => {
  const { choices, usage } = await complete({ prompt: PROMPT, grammar: 'root ::= "re"', logprobs: 1, max_tokens: 8 });
  expect(choices[0]).toMatchObject({ text: "re", finish_reason: "stop" });
  expect(choices[0].logprobs.tokens.join("")).toBe("re");
  expect(choices[0].logprobs.tokens).toHaveLength(usage.completion_tokens);
});

test("a stream says the same in pieces", async () => {
  const body = { prompt: [PROMPT, "Once"], max_tokens: 6, temperature: 0.7, seed: 5, logprobs: 1, echo: true };
  const whole = await complete(body);
  const chunks = await stream(server, PATH, { ...body, stream_options: { include_usage: true } });
  expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
  const last = chunks.pop();
  expect(last).toMatchObject({ choices: [], usage: { total_tokens: whole.usage.total_tokens } });
  for (const { usage } of chunks) expect(usage).toBeNull();
  for (const { index, text, logprobs, finish_reason } of whole.choices) {
    const choices = chunks.flatMap(({ choices }) => choices).filter((choice: Json) => choice.index === index);
    expect(choices.map((choice: Json) => choice.text).join("")).toBe(text);
    expect(choices.map((choice: Json) => choice.finish_reason).filter(Boolean)).toEqual([finish_reason]);
    for (const list of ["tokens", "token_logprobs", "top_logprobs", "text_offset"]) {
      expect(choices.flatMap((choice: Json) => choice.logprobs?.[list] ?? [])).toEqual(logprobs[list]);
    }
  }
  const [without] = await stream(server, PATH, { prompt: "a", max_tokens: 1 });
  expect(without).not.toHaveProperty("usage");
});

test.each([
  ["suffix", { prompt: PROMPT, suffix: "end" }],
  ["best_of", { prompt: PROMPT, best_of: 2 }],
  ["frequency_penalty", { prompt: PROMPT, frequency_penalty: 2.5 }],
  ["presence_penalty", { prompt: PROMPT, presence_penalty: "1" }],
  ["dry_base", { prompt: PROMPT, dry_multiplier: 1, dry_base: 0.5 }],
  ["dry_sequence_breakers", { prompt: PROMPT, dry_multiplier: 1, dry_sequence_breakers: "[" }],
  ["dry_sequence_breakers[0]", { prompt: PROMPT, dry_multiplier: 1, dry_sequence_breakers: [""] }],
  ["dry_sequence_breakers[0]", { prompt: PROMPT, dry_multiplier: 1, dry_sequence_breakers: ["€".repeat(14)] }],
  ["n", { prompt: PROMPT, n: 17 }],
  ["n", { prompt: PROMPT, n: 0 }],
  ["max_tokens", { prompt: PROMPT, max_tokens: -1 }],
  ["max_tokens", { prompt: PROMPT, max_tokens: 513 }],
  ["max_tokens", { prompt: PROMPT, max_tokens: 1e300 }],
  ["temperature", { prompt: PROMPT, temperature: -0.1 }],
  ["temperature", { prompt: PROMPT, temperature: 1e308 }],
  ["temperature", { prompt: PROMPT, temperature: "1" }],
  ["top_p", { prompt: PROMPT, top_p: 1.1 }],
  ["top_k", { prompt: PROMPT, top_k: -1 }],
  ["seed", { prompt: PROMPT, seed: 0.5 }],
  ["seed", { prompt: PROMPT, seed: 2 ** 60 }],
  ["logprobs", { prompt: PROMPT, logprobs: 21 }],
  ["logprobs", { prompt: PROMPT, logprobs: true }],
  ["stop", { prompt: PROMPT, stop: "" }],
  ["stop", { prompt: PROMPT, stop: Array(17).fill("a") }],
  ["stop", { prompt: PROMPT, stop: Array(100_000).fill(1) }],
  ["logit_bias", { prompt: PROMPT, logit_bias: { 1: 101 } }],
  ["logit_bias", { prompt: PROMPT, logit_bias: { 99999: 1 } }],
  ["logit_bias", { prompt: PROMPT, logit_bias: { nix: 1 } }],
  ["logit_bias", { prompt: PROMPT, logit_bias: [1] }],
  ["stream", { prompt: PROMPT, stream: "yes" }],
  ["grammar", { prompt: PROMPT, grammar: 'root ::= "a"', response_format: { type: "json_object" } }],
  ["response_format.type", { prompt: PROMPT, response_format: { type: "yaml" } }],
  ["response_format.json_schema", { prompt: PROMPT, response_format: { type: "json_schema" } }],
  ["prompt", {}],
  ["prompt", { prompt: null }],
  ["prompt", { prompt: [] }],
  ["prompt", { prompt: {} }],
  ["prompt", { prompt: ["a", 1] }],
  ["prompt", { prompt: [1, "a"] }],
  ["prompt", { prompt: [[]] }],
  ["prompt", { prompt: [1.5] }],
  ["prompt", { prompt: Array(2049).fill("a") }],
  ["prompt[0]", { prompt: [-1] }],
  ["prompt[1]", { prompt: [1, 8192] }],
  ["prompt[1][0]", { prompt: [[1], [8192]], echo: true, logprobs: 1 }],
])("a bad %s is refused", async (param, body) => {
  expect(await refusal(server, PATH, body)).toMatchObject({ status: 400, type: "invalid_request_error", param });
});

test("a prompt that is too long is refused, also in a stream", async () => {
  const prompt = "parola ".repeat(1000);
  const expected = { status: 400, code: "context_length_exceeded" };
  expect(await refusal(server, PATH, { prompt })).toMatchObject(expected);
  expect(await refusal(server, PATH, { prompt, stream: true })).toMatchObject(expected);
  expect(await refusal(server, PATH, { prompt, echo: true, logprobs: 1 })).toMatchObject(expected);
  const led = { prompt, grammar: 'root ::= "a"' };
  expect(await refusal(server, PATH, led)).toMatchObject({ ...expected, param: null });
  expect((await complete({ prompt: PROMPT, max_tokens: 1, ...GREEDY })).choices).toHaveLength(1); // none is the worse for it
});

test("who leaves a stream leaves what was read of the prompt in the cache", async () => {
  const prompt = "Nel mezzo del cammin di nostra vita mi ritrovai per una selva oscura";
  const response = await server.fetch(request(PATH, { prompt, max_tokens: 400, stream: true }));
  const reader = response.body!.getReader();
  await reader.read();
  await reader.cancel();
  const { usage } = await complete({ prompt, max_tokens: 1 });
  expect(usage.prompt_tokens_details.cached_tokens).toBe(usage.prompt_tokens - 1);
});
