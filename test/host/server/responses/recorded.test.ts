// Requests as Home Assistant's openai_conversation and Codex send them, and their ways to read a stream, each in few words.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Model } from "zagreus-edge";
import { createServer, type Server } from "zagreus-edge/server";
import { loadNano } from "../../../support/nano";
import { type Json, request } from "../harness";
import { checkResponseEvents } from "./response_events.mjs";

let model: Model;
let server: Server;
beforeAll(async () => {
  model = await loadNano();
  server = createServer(model, { template: "chatml" });
});
afterAll(() => model.close());

async function events(body: object): Promise<Json[]> {
  const response = await server.fetch(request("/v1/responses", body));
  const text = await response.text();
  expect(response.status, text).toBe(200);
  const list = [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!));
  checkResponseEvents(list);
  return list;
}

/** As the entity of 2026.2.3 sends it. */
describe("Home Assistant", () => {
  const turnOn = {
    ...{ type: "function", name: "HassTurnOn", description: "Turns on a device", strict: false },
    parameters: {
      type: "object",
      properties: {
        name: { type: "string" },
        domain: { type: "array", items: { type: "string" } },
        brightness: { type: "integer", minimum: 0, maximum: 100 },
      },
      required: [],
    },
  };
  const context = {
    ...{ type: "function", name: "GetLiveContext", description: "", strict: false },
    parameters: { type: "object", properties: {}, required: [] },
  };
  const message = (role: string, content: string) => ({ type: "message", role, content });
  const body = {
    model: "zagreus-nano",
    input: [
      message("developer", "You are a voice assistant for Home Assistant."),
      message("user", "Turn on the kitchen light"),
    ],
    ...{ max_output_tokens: 300, user: "01JGWE", store: false, stream: true, top_p: 1.0, temperature: 1.0 },
    prompt_cache_retention: "24h",
    tools: [turnOn, context],
  };
  const seed = { seed: 5 }; // so that the test says the same each time

  /** Text and calls; an end that is not whole is a failure there. */
  function read(list: Json[]) {
    let call: Json;
    let text = "";
    const calls: { id: string; name: string; args: Json }[] = [];
    for (const event of list) {
      if (event.type === "response.output_item.added" && event.item.type === "function_call") call = { ...event.item };
      if (event.type === "response.output_text.delta") text += event.delta;
      if (event.type === "response.function_call_arguments.delta") call.arguments += event.delta;
      if (event.type === "response.function_call_arguments.done") {
        calls.push({ id: call.call_id, name: call.name, args: JSON.parse(call.arguments) });
      }
      if (/incomplete|failed/.test(event.type)) throw new Error(event.type);
    }
    return { text, calls };
  }

  test("a call, its result, and the answer", async () => {
    const { calls } = read(await events({ ...body, ...seed, tool_choice: "required", max_output_tokens: 60 }));
    const [{ id, name, args }] = calls as [(typeof calls)[0]];
    expect(["HassTurnOn", "GetLiveContext"]).toContain(name);
    const history = [
      ...body.input,
      { type: "function_call", name, arguments: JSON.stringify(args), call_id: id },
      { type: "function_call_output", call_id: id, output: '{"success": true}' },
    ];
    const grammar = 'root ::= "Done."'; // what an untrained model would say is not the point
    expect(read(await events({ ...body, tools: undefined, input: history, grammar })).text).toBe("Done.");
  });

  test("a task with a structure: no `strict`, but one inside of the schema", async () => {
    const schema = {
      type: "object",
      properties: { colour: { type: ["string", "null"], enum: ["red", "blue"] }, on: { type: "boolean" } },
      ...{ required: ["on", "colour"], strict: true, additionalProperties: false },
    };
    const text = { format: { type: "json_schema", name: "light", schema } };
    const said = JSON.parse(read(await events({ ...body, ...seed, tools: undefined, text })).text);
    expect(typeof said.on).toBe("boolean");
    expect(["red", "blue"]).toContain(said.colour);
  });

  test("web search and code that are switched on: no tools here, and a developer's text in two", async () => {
    const parts = ["You are a voice assistant.", "When doing a web search, do not include source citations"];
    const input = [
      { type: "message", role: "developer", content: parts.map((text) => ({ type: "input_text", text })) },
      message("user", "Hello"),
    ];
    const tools = [
      { type: "web_search", search_context_size: "medium" },
      { type: "code_interpreter", container: { type: "auto" } },
    ];
    const asked = { ...body, input, tools, include: ["code_interpreter_call.outputs"], grammar: 'root ::= "Ok."' };
    expect(read(await events(asked)).text).toBe("Ok.");
  });

  test("thoughts and searches of another server in the history", async () => {
    const more = [
      { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "gAAA" },
      { type: "web_search_call", id: "ws_1", action: { type: "search", query: "x" }, status: "completed" },
    ];
    const grammar = 'root ::= "Ok."';
    const input = [...body.input, ...more, message("user", "And now?")];
    expect(read(await events({ ...body, tools: undefined, input, grammar })).text).toBe("Ok.");
  });
});

/** As codex-cli 0.171.0 sends it, with `wire_api = "responses"`: what its own instructions say is a developer's message. */
describe("Codex", () => {
  const part = (type: string, text: string) => [{ type, text }];
  const message = (role: string, text: string) => ({
    ...{ type: "message", id: "msg_01a22826-57e5-79e1-97be-1737c63e359b", role },
    content: part(role === "assistant" ? "output_text" : "input_text", text),
  });
  const parameters = {
    type: "object",
    properties: {
      cmd: { type: "string", description: "Shell command to execute." },
      tty: { type: "boolean" },
      yield_time_ms: { type: "number" },
      prefix_rule: { type: "array", items: { type: "string" } },
    },
    ...{ required: ["cmd"], additionalProperties: false },
  };
  const shell = { type: "function", name: "exec_command", description: "Runs a command.", strict: false, parameters };
  const body = {
    ...{ model: "zagreus-nano", tool_choice: "auto", store: false },
    input: [
      message("developer", "You are a coding agent."),
      message("developer", "<skills_instructions>"),
      message("user", "<environment_context>"),
      message("user", "list the files"),
    ],
    tools: [
      shell,
      {
        type: "custom",
        name: "apply_patch",
        description: "Edits",
        format: { type: "grammar", syntax: "lark", definition: "start: /x/" },
      },
      { type: "web_search", external_web_access: false },
      { type: "namespace", name: "multi_agent_v1", description: "", tools: [{ ...shell, name: "close_agent" }] },
      { type: "image_generation", output_format: "png" },
    ],
    ...{ parallel_tool_calls: true, reasoning: { summary: "auto" }, stream: true },
    ...{ include: ["reasoning.encrypted_content"], prompt_cache_key: "0199", text: { verbosity: "medium" } },
    client_metadata: { "x-codex-installation-id": "a" },
  };

  /** Items when they are done, and the end, which must be there. */
  function read(list: Json[]) {
    const items = list.filter(({ type }) => type === "response.output_item.done").map(({ item }) => item);
    const end = list.find(({ type }) => type === "response.completed");
    if (!end) throw new Error("stream closed before response.completed");
    const { id, usage } = end.response;
    for (const count of [usage.input_tokens, usage.output_tokens, usage.total_tokens])
      expect(count).toBeTypeOf("number");
    expect(usage.input_tokens_details.cached_tokens).toBeTypeOf("number");
    expect(usage.output_tokens_details.reasoning_tokens).toBeTypeOf("number");
    return { items, id };
  }

  test("a command, its output, and the end; the whole history each time", async () => {
    const forced = { tool_choice: { type: "function", name: "exec_command" }, parallel_tool_calls: false, seed: 3 };
    const { items } = read(await events({ ...body, ...forced, max_output_tokens: 200 }));
    expect(items[0]).toMatchObject({ type: "function_call", name: "exec_command", call_id: expect.any(String) });
    expect(typeof JSON.parse(items[0].arguments).cmd).toBe("string");
    const call = items[0];
    const history = [
      ...body.input,
      { type: "reasoning", summary: [], content: null, encrypted_content: null },
      call,
      { type: "function_call_output", id: "fco_1", call_id: call.call_id, output: "Output:\nREADME.md\n" },
    ];
    const { items: last } = read(await events({ ...body, tools: [], input: history, grammar: 'root ::= "README.md"' }));
    expect(last).toMatchObject([
      { type: "message", role: "assistant", content: [{ type: "output_text", text: "README.md" }] },
    ]);
  });

  test("the request as it is", async () => {
    const list = await events(body);
    expect(list.at(-1).type).toMatch(/^response\.(completed|incomplete)$/);
  });

  test("a probe without input, of versions that send instructions", async () => {
    const probe = { ...body, instructions: "You are Codex, a coding agent." };
    expect((await events({ ...probe, input: [], max_output_tokens: 1 })).at(-1).response.usage.output_tokens).toBe(1);
  });
});
