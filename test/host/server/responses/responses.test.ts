// POST /v1/responses: the chat of /v1/chat/completions in other words.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Model } from "zagreus-edge";
import { createServer, type Server } from "zagreus-edge/server";
import { loadNano } from "../../../support/nano";
import { ask, type Json, puppet, refusal, request, until } from "../harness";
import { checkResponseEvents } from "./response_events.mjs";

const PATH = "/v1/responses";
const parameters = {
  type: "object",
  properties: { city: { enum: ["Roma", "Milano"] } },
  required: ["city"],
  additionalProperties: false,
};
const weather = { type: "function", name: "weather", description: "The weather", parameters, strict: true };
const clock = { type: "function", name: "clock", parameters: null, strict: null };
const SAMPLING = { temperature: 0.9, seed: 7, max_output_tokens: 12 };

let model: Model;
let server: Server;
beforeAll(async () => {
  model = await loadNano();
  server = createServer(model, { template: "chatml" });
});
afterAll(() => model.close());

/** The events of a stream, which must be in order, by what they are called. */
async function streamed(body: object, from = server): Promise<Json[]> {
  const response = await from.fetch(request(PATH, { ...body, stream: true }));
  const text = await response.text();
  expect(response.headers.get("content-type"), text).toBe("text/event-stream; charset=utf-8");
  const blocks = text.split("\n\n").filter((block) => block && !block.startsWith(":"));
  const events = blocks.map((block) => {
    const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(block)!;
    const event = JSON.parse(data!);
    expect(event.type).toBe(name);
    return event;
  });
  checkResponseEvents(events);
  return events;
}

/** A server whose model says what it is told to. */
function talking() {
  const { server, talks, model: own } = puppet();
  Object.assign(own, {
    chat: (messages: Json, options: Json) =>
      Object.assign(own.complete(JSON.stringify(messages), options), { refusedTools: [] }),
  });
  return { server, talks };
}

/** Without what differs each time. */
const plain = (response: Json): Json =>
  JSON.parse(JSON.stringify(response).replace(/"(resp|msg|fc|call)_\w+"/g, '"$1"'), (key, value) =>
    key === "created_at" || key === "cached_tokens" ? 0 : value,
  );
const create = (body: object): Promise<Json> => ask(server, PATH, { ...SAMPLING, ...body });
const textOf = ({ output }: Json): string =>
  output.flatMap(({ content = [] }: Json) => content.map(({ text }: Json) => text)).join("");

test("a response is the model's own, whole and as events", async () => {
  const messages = [
    { role: "system" as const, content: "Sei un assistente." },
    { role: "user" as const, content: "C'era una volta" },
  ];
  const completion = model.chat(messages, { template: "chatml", maxTokens: 12, temperature: 0.9, seed: 7 });
  const text = await completion.text();
  const body = { instructions: "Sei un assistente.", input: "C'era una volta", metadata: { a: "b" } };
  const response = await create(body);
  const { promptTokens } = completion.usage!;
  expect(response).toMatchObject({
    id: expect.stringMatching(/^resp_\w{32}$/),
    object: "response",
    status: "incomplete",
    incomplete_details: { reason: "max_output_tokens" },
    error: null,
    model: "zagreus-nano",
    instructions: "Sei un assistente.",
    metadata: { a: "b" },
    temperature: 0.9,
    store: true,
    text: { format: { type: "text" } },
    usage: { input_tokens: promptTokens, output_tokens: 12, total_tokens: promptTokens + 12 },
  });
  const part = { type: "output_text", text, annotations: [], logprobs: [] };
  const item = { id: expect.stringMatching(/^msg_/), type: "message", status: "incomplete", role: "assistant" };
  expect(response.output).toEqual([{ ...item, content: [part] }]);
  const events = await streamed({ ...SAMPLING, ...body });
  expect(plain(events.at(-1).response)).toEqual(plain(response));
  const deltas = events.filter(({ type }) => type === "response.output_text.delta");
  expect(deltas.length).toBeGreaterThan(3);
});

test("input in every form says the same", async () => {
  const [system, user] = ["Sei un assistente.", "C'era una volta"];
  const parts = (type: string, text: string) => [{ type, text }];
  const expected = textOf(await create({ instructions: system, input: user }));
  const inputs: object[] = [
    [
      { role: "system", content: system },
      { role: "user", content: user },
    ],
    [
      { type: "message", role: "developer", content: system },
      { role: "user", content: parts("input_text", user) },
    ],
    [
      { role: "developer", content: parts("input_text", system) },
      { id: "x", type: "message", role: "user", status: "completed", content: parts("text", user) },
    ],
    [
      { type: "reasoning", id: "rs_1", summary: [], content: null },
      { role: "system", content: system },
      { role: "user", content: user },
    ],
  ];
  for (const input of inputs) expect(textOf(await create({ input })), JSON.stringify(input)).toBe(expected);
});

describe("tools", () => {
  const body = {
    input: "Che tempo fa?",
    tools: [weather, clock],
    tool_choice: "required",
    max_output_tokens: 80,
    seed: 2,
  };

  test("calls, whole and as events, and what they give goes back in", async () => {
    const response = await create(body);
    expect(response.status).toBe("completed");
    const [call] = response.output;
    expect(call).toMatchObject({ id: expect.stringMatching(/^fc_/), type: "function_call", status: "completed" });
    expect(call.call_id).toMatch(/^call_/);
    expect(["weather", "clock"]).toContain(call.name);
    if (call.name === "weather") expect(parameters.properties.city.enum).toContain(JSON.parse(call.arguments).city);
    const events = await streamed({ ...SAMPLING, ...body });
    expect(plain(events.at(-1).response)).toEqual(plain(response));
    const output = { type: "function_call_output", call_id: call.call_id };
    const base = [{ role: "user", content: body.input }, call];
    const answer = await create({ input: [...base, { ...output, output: "sole" }], tools: [weather] });
    const same = await create({
      input: [...base, { ...output, output: [{ type: "input_text", text: "sole" }] }],
      tools: [weather],
    });
    expect(textOf(same)).toBe(textOf(answer));
    expect(
      await create({ input: [...base, { ...output, output: [{ type: "input_image", image_url: "x" }] }] }),
    ).toBeDefined();
  });

  test("several calls are several items", async () => {
    const tools = [{ ...clock, parameters: { type: "object", properties: {} } }];
    const many = { ...body, tools, parallel_tool_calls: true, temperature: 2, max_output_tokens: 200 };
    for (let seed = 0; seed < 12; seed++) {
      const events = await streamed({ ...SAMPLING, ...many, seed });
      const { output } = events.at(-1).response;
      for (const item of output) expect(item.arguments).toBe("{}");
      if (output.length > 1) return;
    }
    throw new Error("never more than one call");
  });

  test("one that is named, one of those allowed", async () => {
    const named = await create({ ...body, tool_choice: { type: "function", name: "weather" } });
    expect(named.output[0].name).toBe("weather");
    const tools = [{ type: "function", name: "weather" }];
    const allowed = await create({ ...body, tool_choice: { type: "allowed_tools", mode: "required", tools } });
    expect(allowed.output[0].name).toBe("weather");
  });

  test("tools of other kinds are left out, and refused where they have to be called", async () => {
    const tools = [
      { type: "web_search" },
      { type: "namespace", name: "a", tools: [weather] },
      { type: "custom", name: "patch" },
    ];
    expect(textOf(await create({ input: "a", tools }))).toBe(textOf(await create({ input: "a" })));
    expect((await create({ ...body, tools: [...tools, weather] })).output[0].name).toBe("weather");
    for (const tool_choice of ["required", { type: "web_search" }, { type: "custom", name: "patch" }]) {
      expect(await refusal(server, PATH, { input: "a", tools, tool_choice })).toMatchObject({
        status: 400,
        param: "tool_choice",
      });
    }
  });
});

test("structured output", async () => {
  const schema = {
    type: "object",
    properties: { city: { enum: ["Roma"] }, days: { type: ["integer", "null"] } },
    required: ["city", "days"],
    additionalProperties: false,
  };
  const format = { type: "json_schema", name: "answer", strict: true, schema: { ...schema, strict: true } };
  const response = await create({ input: "a", text: { format, verbosity: "low" }, max_output_tokens: 60 });
  expect(JSON.parse(textOf(response)).city).toBe("Roma");
  expect(response.text.format).toEqual(format);
  expect(response.status).toBe("completed");
  const object = await create({ input: "a", text: { format: { type: "json_object" } }, max_output_tokens: 60 });
  expect(typeof JSON.parse(textOf(object))).toBe("object");
});

test("log-probabilities, where they are asked for", async () => {
  const body = { ...SAMPLING, input: "a", include: ["message.output_text.logprobs"], top_logprobs: 2 };
  const events = await streamed(body);
  const [{ content }] = events.at(-1).response.output;
  expect(content[0].logprobs).toHaveLength(12);
  for (const { token, logprob, top_logprobs } of content[0].logprobs) {
    expect([typeof token, typeof logprob, top_logprobs.length]).toEqual(["string", "number", 2]);
  }
  const deltas = events.filter(({ type }) => type === "response.output_text.delta");
  expect(deltas.flatMap(({ logprobs }) => logprobs)).toEqual(content[0].logprobs);
});

describe("what was said before", () => {
  test("previous_response_id and references go on as the whole conversation does", async () => {
    const first = await create({ instructions: "Rispondi.", input: "Ciao" });
    const [message] = first.output;
    const next = { role: "user", content: "E poi?" };
    const whole = await create({ input: [{ role: "user", content: "Ciao" }, message, next] });
    const body = { input: [next], previous_response_id: first.id };
    const second = await create(body);
    expect(textOf(second)).toBe(textOf(whole)); // without the instructions, which are not inherited
    expect(second.previous_response_id).toBe(first.id);
    const referred = [{ role: "user", content: "Ciao" }, { type: "item_reference", id: message.id }, next];
    expect(textOf(await create({ input: referred }))).toBe(textOf(whole));
    expect(textOf(await create({ input: [referred[0], { id: message.id }, next] }))).toBe(textOf(whole));
    const third = await create({ input: "E?", previous_response_id: second.id });
    const all = [{ role: "user", content: "Ciao" }, message, next, second.output[0], { role: "user", content: "E?" }];
    expect(textOf(third)).toBe(textOf(await create({ input: all })));
    const events = await streamed({ ...SAMPLING, ...body });
    expect(textOf(events.at(-1).response)).toBe(textOf(whole));
    expect(await ask(server, `${PATH}/${events.at(-1).response.id}`)).toEqual(events.at(-1).response);
  });

  test("GET and DELETE", async () => {
    const response = await create({ input: "Ciao" });
    expect(await ask(server, `${PATH}/${response.id}`)).toEqual(response);
    const remove = () => server.fetch(request(`${PATH}/${response.id}`, undefined, { method: "DELETE" }));
    expect(await (await remove()).json()).toEqual({ id: response.id, object: "response.deleted", deleted: true });
    expect((await remove()).status).toBe(404);
    expect(await refusal(server, `${PATH}/${response.id}`)).toMatchObject({ status: 404, code: "response_not_found" });
    expect((await server.fetch(request(`${PATH}/x`, {}))).headers.get("allow")).toBe("GET, DELETE");
  });

  test("what is not kept is not found, with a word on why", async () => {
    const { id, output } = await create({ input: "Ciao", store: false });
    const message = expect.stringContaining("store: false");
    const gone = { status: 400, param: "previous_response_id", code: "previous_response_not_found", message };
    expect(await refusal(server, PATH, { input: "a", previous_response_id: id })).toMatchObject(gone);
    const input = [
      { role: "user", content: "a" },
      { type: "item_reference", id: output[0].id },
    ];
    expect(await refusal(server, PATH, { input })).toMatchObject({
      status: 400,
      param: "input[1].id",
      code: "item_not_found",
      message,
    });
  });

  test("nobody finds what another key, or without keys another network, has", async () => {
    const keyed = createServer(model, { template: "chatml", apiKeys: ["one", "two"] });
    const open = server;
    const asks = (who: string, path: string, body?: object, method?: string) => {
      const headers = { authorization: `Bearer ${who}` };
      return keyed.fetch(request(path, body, { headers, ...(method && { method }) }), { client: "10.0.0.1" });
    };
    const networked = (who: string, path: string, body?: object, method?: string) =>
      open.fetch(request(path, body, method ? { method } : {}), { client: who });
    const pairs = [
      [asks, "one", "two"],
      [networked, "10.0.0.1", "10.0.0.2"],
    ] as const;
    for (const [send, owner, other] of pairs) {
      const response = (await (await send(owner, PATH, { ...SAMPLING, input: "segreto" })).json()) as Json;
      const path = `${PATH}/${response.id}`;
      const again = { ...SAMPLING, input: "a", previous_response_id: response.id };
      const reference = { ...SAMPLING, input: [{ role: "user", content: "a" }, { id: response.output[0].id }] };
      const statuses = async (who: string) => [
        (await send(who, path)).status,
        (await send(who, PATH, again)).status,
        (await send(who, PATH, reference)).status,
        (await send(who, path, undefined, "DELETE")).status,
      ];
      expect(await statuses(other)).toEqual([404, 400, 400, 404]);
      expect(await statuses(owner)).toEqual([200, 200, 200, 200]);
    }
  });

  test("a conversation of many megabytes is not read", async () => {
    const { server, talks } = talking();
    const text = "x".repeat(900_000);
    let previous_response_id: string | undefined;
    for (let i = 0; i < 3; i++) {
      const response = ask(server, PATH, { input: text, previous_response_id });
      await until(() => talks.length > i);
      talks[i]!.end();
      previous_response_id = (await response).id;
    }
    const expected = { status: 400, param: "previous_response_id", code: "context_length_exceeded" };
    expect(await refusal(server, PATH, { input: "a", previous_response_id })).toMatchObject(expected);
  });

  test("what was left in the middle is not kept", async () => {
    const { server, talks } = talking();
    const abort = new AbortController();
    const asked = new Request(request(PATH, { input: "a", stream: true }), { signal: abort.signal });
    const response = server.fetch(asked);
    await until(() => talks.length > 0);
    talks[0]!.say("x");
    const reader = (await response).body!.getReader();
    const { value } = await reader.read();
    const [, id] = /"id":"(resp_\w+)"/.exec(new TextDecoder().decode(value))!;
    abort.abort();
    await until(() => talks[0]!.aborted);
    expect((await server.fetch(request(`${PATH}/${id}`))).status).toBe(404);
  });
});

describe("failures", () => {
  test("before the first token they have a status", async () => {
    const input = "parola ".repeat(1000);
    const expected = { status: 400, param: "input", code: "context_length_exceeded" };
    expect(await refusal(server, PATH, { input })).toMatchObject(expected);
    expect(await refusal(server, PATH, { input, stream: true, truncation: "auto" })).toMatchObject(expected);
  });

  test("later they are the last event", async () => {
    const { server, talks } = talking();
    const events = streamed({ input: "a" }, server);
    await until(() => talks.length > 0);
    talks[0]!.say("x");
    talks[0]!.fail(Object.assign(new Error("gone"), { name: "ZagreusError", code: "CLOSED" }));
    expect((await events).at(-1).response).toMatchObject({
      status: "failed",
      error: { code: "model_unavailable", message: "the model is closed" },
    });
  });

  test("an answer of nothing is an empty message", async () => {
    const { server, talks } = talking();
    const empty = streamed({ input: "a" }, server);
    await until(() => talks.length > 0);
    talks[0]!.end();
    expect(textOf((await empty).at(-1).response)).toBe("");
  });
});

test.each([
  ["input", {}],
  ["input", { input: null }],
  ["input", { input: [] }],
  ["input", { input: 3 }],
  ["input[0]", { input: ["a"] }],
  ["input[0].type", { input: [{}] }],
  ["input[0].type", { input: [{ type: "computer_call" }] }],
  ["input[0].role", { input: [{ role: "tool", content: "a" }] }],
  [
    "input[1].content",
    {
      input: [
        { role: "user", content: "a" },
        { role: "user", content: [{ type: "input_image", image_url: "x" }] },
      ],
    },
  ],
  ["input[0].call_id", { input: [{ type: "function_call", name: "a", arguments: "{}" }] }],
  ["input[0].output", { input: [{ type: "function_call_output", call_id: "a" }] }],
  ["background", { input: "a", background: true }],
  ["conversation", { input: "a", conversation: "conv_1" }],
  ["prompt", { input: "a", prompt: { id: "pmpt_1" } }],
  ["max_output_tokens", { input: "a", max_output_tokens: 0 }],
  ["max_output_tokens", { input: "a", max_output_tokens: 513 }],
  ["previous_response_id", { input: "a", previous_response_id: "resp_nix" }],
  ["text.format.type", { input: "a", text: { format: { type: "yaml" } } }],
  ["text.format.schema", { input: "a", text: { format: { type: "json_schema", name: "a" } } }],
  ["text.format", { input: "a", text: { format: { type: "json_schema", schema: { pattern: "(?<=a)b+\\1" } } } }],
  ["tools[0].name", { input: "a", tools: [{ type: "function", function: { name: "a" } }] }],
  ["tools", { input: "a", tools: { a: 1 } }],
  ["tool_choice", { input: "a", tool_choice: "maybe" }],
  ["tool_choice", { input: "a", tools: [clock], tool_choice: { type: "function", name: "nix" } }],
  ["top_logprobs", { input: "a", top_logprobs: 21 }],
  ["truncation", { input: "a", truncation: "middle" }],
  ["stream", { input: "a", stream: 1 }],
])("a bad %s is refused", async (param, body) => {
  expect(await refusal(server, PATH, body)).toMatchObject({ status: 400, type: "invalid_request_error", param });
  expect(await refusal(server, PATH, { ...body, stream: (body as Json).stream ?? true })).toMatchObject({
    status: 400,
    param,
  });
});

test("what others send along is ignored", async () => {
  const more = {
    ...{
      user: "me",
      safety_identifier: "x",
      service_tier: "auto",
      prompt_cache_key: "k",
      prompt_cache_retention: "24h",
    },
    ...{ client_metadata: { a: 1 }, reasoning: { effort: "low", summary: "auto" }, text: { verbosity: "low" } },
    ...{
      context_management: [],
      moderation: null,
      stream_options: { include_obfuscation: false },
      truncation: "disabled",
    },
    ...{
      max_tool_calls: 3,
      store: true,
      include: ["reasoning.encrypted_content"],
      metadata: null,
      tools: [],
      temperature: null,
    },
    ...{ parallel_tool_calls: true, background: false, conversation: null, previous_response_id: null, prompt: null },
  };
  const { temperature: _, ...sampling } = { ...SAMPLING, top_k: 1 };
  expect(textOf(await ask(server, PATH, { input: "Ciao", ...more, ...sampling }))).toBe(
    textOf(await ask(server, PATH, { input: "Ciao", ...sampling })),
  );
});
