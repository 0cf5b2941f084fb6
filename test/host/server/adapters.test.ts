// Adapters as models of their own: "MODEL:NAME".

import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { bundledModel, load } from "zagreus-edge";
import { createServer } from "zagreus-edge/server";
import { caught, PROMPT } from "../../support/nano";
import { LORA } from "../adapters/support";
import { type Json, request } from "./harness";

const model = await load(bundledModel, { adapters: { slots: 2 }, contextLength: 512, threads: 1 });
const upper = await model.adapter(join(LORA, "upper"));
const recipe = await model.adapter(join(LORA, "recipe"));
const server = createServer(
  { nano: model },
  {
    adapters: {
      "nano:upper": [{ adapter: upper }],
      "nano:weak": [{ adapter: upper, scale: 0.5 }],
      "nano:both": [{ adapter: upper }, { adapter: recipe }],
    },
  },
);
afterAll(() => model.close());

async function post(path: string, body: object): Promise<{ status: number; body: Json }> {
  const response = await server.fetch(request(`/v1/${path}`, body));
  return { status: response.status, body: await response.json() };
}
const complete = async (name: string | undefined, more: object = {}) =>
  post("completions", { model: name, prompt: PROMPT, max_tokens: 12, temperature: 0, ...more });

test("each is what the library says, by its name, whoever came before", async () => {
  const alone: Record<string, string> = {};
  const lists = {
    nano: [],
    "nano:upper": [{ adapter: upper }],
    "nano:both": [{ adapter: recipe }, { adapter: upper }],
  };
  for (const [name, adapters] of Object.entries(lists)) {
    const options = { maxTokens: 12, temperature: 0, repetitionPenalty: 1, adapters, cacheSalt: `alone ${name}` };
    alone[name] = await model.complete(PROMPT, options).text();
  }
  expect(new Set(Object.values(alone)).size).toBe(3);
  for (const name of ["nano:upper", "nano", "nano:both", "nano:upper", "nano"]) {
    const { status, body } = await complete(name);
    expect([status, body.model, body.choices[0].text]).toEqual([200, name, alone[name]]);
  }
  const all = await Promise.all(Object.keys(alone).map((name) => complete(name)));
  expect(all.map(({ body }) => body.choices[0].text)).toEqual(Object.values(alone));
  expect((await complete(undefined)).body.model).toBe("nano");
});

test("chats, vectors and echoed log-probabilities go through them", async () => {
  const of = async (path: string, body: object, pick: (body: Json) => unknown) => {
    const [off, on] = await Promise.all(["nano", "nano:upper"].map((name) => post(path, { model: name, ...body })));
    expect([off!.body.model, on!.body.model]).toEqual(["nano", "nano:upper"]);
    expect(pick(on!.body)).not.toEqual(pick(off!.body));
  };
  await of("embeddings", { input: PROMPT }, ({ data }) => data[0].embedding);
  const echo = { prompt: PROMPT, echo: true, logprobs: 0, max_tokens: 0 };
  await of("completions", echo, ({ choices }) => choices[0].logprobs.token_logprobs);
});

test("they are listed, unknown ones are not found, and closed ones are gone", async () => {
  const list = async () => {
    const { data } = (await (await server.fetch(request("/v1/models"))).json()) as {
      data: { id: string; parent?: string }[];
    };
    return data.map(({ id, parent }) => [id, parent]);
  };
  expect(await list()).toEqual([
    ["nano", undefined],
    ["nano:upper", "nano"],
    ["nano:weak", "nano"],
    ["nano:both", "nano"],
  ]);
  expect(await complete("nano:other")).toMatchObject({
    status: 404,
    body: { error: { code: "model_not_found", message: expect.stringContaining('"nano:weak"') } },
  });
  const running = complete("nano:both");
  recipe.close();
  expect([200, 400, 404]).toContain((await running).status);
  expect((await complete("nano:both")).status).toBe(404);
  expect((await list()).map(([id]) => id)).toEqual(["nano", "nano:upper", "nano:weak"]);
  const metrics = await (await server.fetch(request("/metrics"))).text();
  expect(metrics).not.toContain("nano:other"); // names of the operator, never of clients
});

test("names that are none are refused", async () => {
  for (const adapters of [{ upper: [] }, { "other:upper": [] }, { "nano:upper": {} }]) {
    const make = () => createServer({ nano: model }, { adapters: adapters as never });
    expect(await caught(make)).toMatchObject({ code: "INVALID_OPTION" });
  }
});
