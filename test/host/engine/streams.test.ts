// A completion in other shapes: bytes, a response, events, JSON, what Node's streams make of it.

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream as NodeStream } from "node:stream/web";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  bundledModel,
  type ChatPiece,
  type Completion,
  load,
  type Model,
  type OffloadedModel,
  type ToolCall,
} from "zagreus-edge";
import { caught, GREEDY, PROMPT } from "../../support/nano";

const OPTIONS = { ...GREEDY, maxTokens: 24 };
/** Goes on for as long as it is let. */
const LONG = { temperature: 1, seed: 1, maxTokens: 500, overflow: { keep: 4 } } as const;
const MESSAGES = [{ role: "user", content: "Ciao" }] as const;
const CHAT = { template: "chatml", maxTokens: 16, temperature: 0 };
const tool = { type: "function", function: { name: "now", parameters: { type: "object", properties: {} } } } as const;

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The data of server-sent events, the last of which is "[DONE]". */
async function eventsOf(response: Response) {
  const events = (await response.text()).split("\n\n");
  expect(events.splice(-2)).toEqual(["data: [DONE]", ""]);
  return events.map((event) => JSON.parse(event.replace(/^data: /, "")));
}

describe.each([
  ["here", {}],
  ["in another thread", { offload: true }],
] as const)("a model %s", (_, options) => {
  let model: Model | OffloadedModel;
  beforeAll(async () => {
    model = await load(bundledModel, { ...(options as { offload?: false }), sequences: 1 });
  });
  afterAll(() => model.close());

  /** Resolves when nothing runs, long before LONG would have ended. */
  const free = async (completion: Completion) => {
    await model.complete("a", { maxTokens: 1 }).text();
    expect(completion.tokens.length).toBeLessThan(300);
  };

  test("its text comes as bytes, and not ahead of the reader", async () => {
    const text = await model.complete(PROMPT, OPTIONS).text();
    expect(await new Response(model.complete(PROMPT, OPTIONS).toTextStream()).text()).toBe(text);
    const completion = model.complete(PROMPT, LONG);
    const reader = completion.toTextStream().getReader();
    let read = "";
    for (let i = 0; i < 3; i++) read += new TextDecoder().decode((await reader.read()).value);
    const { length } = completion.tokens;
    await pause(100);
    expect(completion.tokens).toHaveLength(length);
    expect(completion.toJSON().text).toBe(read);
    await reader.cancel();
    await free(completion);
  });

  test.each(["a reader that leaves", "a loop that is left", "Node's stream that is destroyed"])(
    "%s does not wait for what is on its way",
    async (how) => {
      const running = model.complete(PROMPT, LONG).toTextStream().getReader();
      await running.read(); // holds the model
      const completion = model.complete(PROMPT, LONG);
      if (how === "a reader that leaves") {
        const reader = completion.toTextStream().getReader();
        const next = reader.read();
        await pause(20);
        await reader.cancel();
        expect(await next).toEqual({ done: true, value: undefined });
      } else if (how === "a loop that is left") {
        const iterator = completion[Symbol.asyncIterator]();
        const next = caught(iterator.next() as Promise<unknown>);
        await pause(20);
        expect(await iterator.return?.()).toMatchObject({ done: true });
        expect(await next).toMatchObject({ code: "ABORTED" });
      } else {
        const stream = Readable.from(completion);
        stream.on("data", () => {});
        await pause(20);
        stream.destroy();
        await once(stream, "close");
      }
      await running.cancel();
      await free(completion);
    },
  );

  test("a response has the text, and headers that can be others", async () => {
    const text = await model.complete(PROMPT, OPTIONS).text();
    const response = model
      .complete(PROMPT, OPTIONS)
      .toResponse({ headers: { "X-Own": "1", "Cache-Control": "no-store" } });
    const headers: Record<string, string> = {};
    response.headers.forEach((value, name) => {
      headers[name] = value;
    });
    expect(headers).toEqual({
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      "x-own": "1",
    });
    expect(await response.text()).toBe(text);
    const completion = model.complete(PROMPT, LONG);
    const { body } = completion.toResponse({ format: "sse" });
    const reader = body!.getReader();
    await reader.read();
    await reader.cancel();
    await free(completion);
  });

  test("events are chunks of OpenAI's API", async () => {
    const completion = model.complete(PROMPT, OPTIONS);
    const response = completion.toResponse({ format: "sse" });
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const events = await eventsOf(response);
    const usage = events.pop();
    expect(usage).toMatchObject({ choices: [], usage: { completion_tokens: 24 } });
    expect(new Set(events.map(({ id, object, model: name }) => `${id} ${object} ${name}`)).size).toBe(1);
    expect(events[0]).toMatchObject({ object: "text_completion", model: model.info.name });
    expect(events.map(({ choices }) => choices[0].text).join("")).toBe(await model.complete(PROMPT, OPTIONS).text());
    expect(events.map(({ choices }) => choices[0].finish_reason).filter(Boolean)).toEqual(["length"]);
  });

  test("of chats, with calls", async () => {
    const events = await eventsOf(model.chat(MESSAGES, CHAT).toResponse({ format: "sse" }));
    expect(events[0]).toMatchObject({ object: "chat.completion.chunk", choices: [{ delta: { role: "assistant" } }] });
    const text = events.map(({ choices }) => choices[0]?.delta.content ?? "").join("");
    expect(text).toBe(await model.chat(MESSAGES, CHAT).text());
    const calling = { ...CHAT, tools: [tool], toolChoice: "required", maxTokens: 60 } as const;
    const called = await eventsOf(model.chat(MESSAGES, calling).toResponse({ format: "sse" }));
    const calls = called.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []);
    expect(calls[0]).toMatchObject({ index: 0, type: "function", function: { name: "now" } });
    expect(called.at(-2).choices[0].finish_reason).toBe("tool_calls");
  });

  test("what fails is an event, and breaks a body of text", async () => {
    const failing = () => model.complete(PROMPT.repeat(200), { overflow: "stop" });
    const [event] = await eventsOf(failing().toResponse({ format: "sse" }));
    expect(event.error).toMatchObject({ code: "context_overflow", message: expect.stringContaining("tokens") });
    expect(await caught(failing().toResponse().text())).toMatchObject({ code: "CONTEXT_OVERFLOW" });
    const controller = new AbortController();
    const reader = model
      .complete(PROMPT, { ...LONG, signal: controller.signal })
      .toResponse()
      .body!.getReader();
    await reader.read();
    controller.abort(new Error("enough"));
    expect(await caught(reader.read())).toMatchObject({ code: "ABORTED", cause: new Error("enough") });
  });

  test("junk is INVALID_OPTION, and a second reader BUSY", () => {
    const completion = model.complete(PROMPT, OPTIONS);
    for (const options of [{ format: "html" }, { headers: 1 }, { formt: "sse" }, null]) {
      expect(() => completion.toResponse(options as never)).toThrow(
        expect.objectContaining({ code: "INVALID_OPTION" }),
      );
    }
    completion.toTextStream();
    expect(() => completion.toResponse()).toThrow(expect.objectContaining({ code: "BUSY" }));
  });

  test("it is JSON by itself, and no promise", async () => {
    const completion = model.complete(PROMPT, { ...OPTIONS, seed: 7 });
    expect(JSON.parse(JSON.stringify(completion))).toEqual({ text: "", tokens: [], seed: "7" });
    expect(await Promise.resolve(completion)).toBe(completion); // so that async functions can return it
    expect(`${completion}`).toContain("await completion.text()");
    const text = await completion.text();
    const { finishReason, usage, timings, tokens } = completion;
    const json = { text, tokens, finishReason, seed: "7", usage, timings };
    expect(JSON.parse(JSON.stringify(completion))).toEqual(json);
  });

  test("JSON of a chat has its calls", async () => {
    const calling = { ...CHAT, tools: [tool], toolChoice: "required", maxTokens: 60 } as const;
    const chat = model.chat(MESSAGES, calling);
    await chat.text();
    const { tool_calls } = await model.chat(MESSAGES, calling).message();
    const { toolCalls, finishReason } = JSON.parse(JSON.stringify(chat));
    expect(toolCalls.map(({ function: called }: ToolCall) => called)).toEqual(tool_calls?.map((call) => call.function));
    expect(finishReason).toBe("tool_calls");
  });

  test("a reader that leaves while a prompt is read stops that", async () => {
    const done: number[] = [];
    const words = await model.tokenize(PROMPT.repeat(50));
    const tokens = words.slice(0, 500);
    const reader = model
      .complete(tokens, {
        maxTokens: 1,
        onPrefill: (progress) => {
          done.push(progress.done);
          reader.cancel();
        },
      })
      .toTextStream()
      .getReader();
    await reader.read();
    await model.complete("a", { maxTokens: 1 }).text();
    expect(done.at(-1)).toBeLessThan(500);
  });

  test("console.log() of the info is a screen", () => {
    const shown = inspect(model.info);
    expect(shown.split("\n").length).toBeLessThan(50);
    expect(shown).toContain("contextLength: 512");
    expect(Object.keys(model.info)).toContain("tensors");
    expect(structuredClone(model.info)).toEqual(model.info);
  });

  test("`using` closes a session and a model", async () => {
    const other = await load(bundledModel, options as { offload?: false });
    const session = other.session();
    session[Symbol.dispose]();
    expect(await caught((async () => session.complete("a").text())())).toMatchObject({ code: "CLOSED" });
    other[Symbol.dispose]();
    expect(other.closed).toBe(true);
  });

  test("over HTTP, a client that leaves stops the model", async () => {
    let completion!: Completion;
    const server = createServer((_, response) => {
      completion = model.complete(PROMPT, LONG);
      const stream = completion.toTextStream() as NodeStream<Uint8Array>;
      pipeline(Readable.fromWeb(stream), response).catch(() => {});
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const reader = (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)).body!.getReader();
    await reader.read();
    await reader.cancel();
    await free(completion);
    server.close();
  });

  test("pieces into a stream of bytes reject the pipeline, nothing more", async () => {
    const bytes = new Writable({ write: (_chunk, _encoding, done) => done() });
    expect(await caught(pipeline(Readable.from(model.complete(PROMPT, LONG)), bytes))).toMatchObject({
      code: "ERR_INVALID_ARG_TYPE",
    });
    const pieces: ChatPiece[] = [];
    for await (const piece of Readable.from(model.complete(PROMPT, OPTIONS))) pieces.push(piece);
    expect(pieces).toHaveLength(24);
  });
});
