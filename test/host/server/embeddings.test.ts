import { afterAll, beforeAll, expect, test } from "vitest";
import type { Model } from "zagreus-edge";
import { createServer, type Server } from "zagreus-edge/server";
import { bits, loadNano, PROMPT } from "../../support/nano";
import { ask, type Json, metric, refusal } from "./harness";

const PATH = "/v1/embeddings";
let model: Model;
let server: Server;
beforeAll(async () => {
  model = await loadNano();
  server = createServer(model);
});
afterAll(() => model.close());

test("one text: the model's vector", async () => {
  const answer = await ask(server, PATH, { model: "zagreus-nano", input: PROMPT });
  const { length } = model.tokenize(PROMPT);
  const { data, ...rest } = answer;
  expect(rest).toEqual({
    object: "list",
    model: "zagreus-nano",
    usage: { prompt_tokens: length, total_tokens: length },
  });
  expect(data).toEqual([{ object: "embedding", index: 0, embedding: Array.from(await model.embed(PROMPT)) }]);
  expect(await metric(server, "zagreus_prompt_tokens_total")).toBe(length);
});

test("batches of texts, as numbers and as base64", async () => {
  const input = [PROMPT, "Once upon a time", "🦊"];
  const { data } = await ask(server, PATH, { input });
  expect(data.map(({ index }: Json) => index)).toEqual([0, 1, 2]);
  expect((await ask(server, PATH, { input: input[1], encoding_format: "float" })).data[0].embedding).toEqual(
    data[1].embedding,
  );
  const packed = await ask(server, PATH, { input, encoding_format: "base64" });
  packed.data.forEach(({ embedding }: Json, i: number) => {
    expect(Buffer.from(embedding, "base64")).toEqual(bits(Float32Array.from(data[i].embedding)));
  });
});

test.each([
  ["input", {}],
  ["input", { input: "" }],
  ["input", { input: [] }],
  ["input", { input: ["a", ""] }],
  ["input", { input: [[]] }],
  ["input", { input: { text: "a" } }],
  ["input", { input: Array(2049).fill("a") }],
  ["dimensions", { input: "a", dimensions: 64 }],
  ["encoding_format", { input: "a", encoding_format: "hex" }],
])("a bad %s is refused", async (param, body) => {
  expect(await refusal(server, PATH, body)).toMatchObject({ status: 400, param });
});

test("ids of tokens are another model's: no vectors of them, but what to do", async () => {
  for (const input of [
    [1, 2],
    [[1, 2], [3]],
  ]) {
    const expected = {
      status: 400,
      param: "input",
      message: expect.stringContaining("check_embedding_ctx_length=False"),
    };
    expect(await refusal(server, PATH, { input })).toMatchObject(expected);
  }
});

test("what the model refuses names the field of the request, too", async () => {
  const expected = { status: 400, code: "context_length_exceeded" };
  expect(await refusal(server, PATH, { input: "parola ".repeat(1000) })).toMatchObject(expected);
});
