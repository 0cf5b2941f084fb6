// A server without a network: its handler is called.

import { createServer, type Server, type ServerOptions } from "zagreus-edge/server";
import { Queue } from "../../../host/core/engine/queue";

/** What clients get, as plain data. */
// biome-ignore lint/suspicious/noExplicitAny: JSON
export type Json = any;

export const ORIGIN = "http://server";

export function request(path: string, body?: unknown, { headers = {}, ...init }: RequestInit = {}): Request {
  const json = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  return new Request(`${ORIGIN}${path}`, {
    ...json,
    ...init,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
  });
}

/** The JSON of an answer that must be a success. */
export async function ask(server: Server, path: string, body?: unknown): Promise<Json> {
  const response = await server.fetch(request(path, body));
  const json = await response.json();
  if (!response.ok) throw new Error(`${response.status}: ${JSON.stringify(json)}`);
  return json;
}

/** Status and error of an answer that must be a failure. */
export async function refusal(server: Server, path: string, body?: unknown): Promise<Json> {
  const response = await server.fetch(request(path, body));
  const { error } = (await response.json()) as Json;
  return { status: response.status, ...error };
}

/** The data of every event of a stream, which must end with [DONE]. */
export async function events(response: Response): Promise<Json[]> {
  if (response.headers.get("content-type") !== "text/event-stream; charset=utf-8")
    throw new Error(await response.text());
  const blocks = (await response.text()).split("\n\n");
  if (blocks.pop() !== "" || blocks.pop() !== "data: [DONE]") throw new Error("the stream does not end as it must");
  return blocks.filter((block) => !block.startsWith(":")).map((block) => JSON.parse(block.replace(/^data: /, "")));
}

export async function stream(server: Server, path: string, body: object): Promise<Json[]> {
  return events(await server.fetch(request(path, { ...body, stream: true })));
}

/** A metric's value; 0 as long as there is none. */
export async function metric(server: Server, name: string): Promise<number> {
  const text = await (await server.fetch(request("/metrics"))).text();
  const line = text.split("\n").find((line) => line.startsWith(name));
  return Number(line?.split(" ").at(-1) ?? 0);
}

export interface Talk {
  /** Says the next token. */
  say(text: string): void;
  /** Ends the completion. */
  end(): void;
  fail(error: unknown): void;
  aborted: boolean;
  /** How many tokens have been asked for. */
  said: number;
  prompt: string;
}

interface Asked {
  signal: AbortSignal;
  client: string;
  onPrefill?(progress: object): void;
}

/** A model, which has clients take turns as all do, that says what a test tells it to: `talks` are its completions in the order in which they began. */
export function puppet(options: ServerOptions = {}) {
  const talks: Talk[] = [];
  const turns = new Queue();
  const model = {
    closed: false,
    info: { name: "puppet", contextLength: 1000, vocabulary: 10, tokenizer: { end: [9] } },
    tokenize: (text: string) => [...text].map(() => 1),
    detokenize: (tokens: number[]) => "x".repeat(tokens.length),
    chat(_: unknown, asked: Asked) {
      return Object.assign(model.complete("chat", asked), { refusedTools: [] });
    },
    embed: async (_: number[], { signal, client }: Asked) => {
      (await turns.enter(signal, client))();
      return new Float32Array(2);
    },
    complete(prompt: string | number[], { signal, client, onPrefill }: Asked) {
      const tokens: number[] = [];
      const queue: (string | Error | undefined)[] = [];
      let wake = () => {};
      const put = (item: string | Error | undefined) => {
        queue.push(item);
        wake();
      };
      const completion = {
        tokens,
        finishReason: undefined as string | undefined,
        usage: undefined as object | undefined,
        async *[Symbol.asyncIterator]() {
          const release = await turns.enter(signal, client);
          try {
            yield* this.speak();
          } finally {
            release();
          }
        },
        async *speak() {
          const talk: Talk = {
            say: put,
            end: () => put(undefined),
            fail: (error) => put(error as Error),
            aborted: false,
            said: 0,
            prompt: String(prompt),
          };
          const abort = () => {
            talk.aborted = true;
            const error = Object.assign(new Error("aborted"), { code: "ABORTED", cause: signal.reason });
            error.name = "ZagreusError";
            put(error);
          };
          if (signal.aborted) abort();
          signal.addEventListener("abort", abort);
          talks.push(talk);
          onPrefill?.({ done: 0, total: prompt.length, reused: 0 });
          for (;;) {
            while (queue.length === 0) {
              await new Promise<void>((resolve) => {
                wake = resolve;
              });
            }
            const item = queue.shift();
            if (item instanceof Error) throw item;
            if (item === undefined) break;
            tokens.push(1);
            talk.said++;
            yield { text: item, token: 1 };
          }
          completion.finishReason = "stop";
          completion.usage = { promptTokens: 2, reusedTokens: 1, prefilledTokens: 1, completionTokens: tokens.length };
        },
      };
      return completion;
    },
  };
  const server = createServer({ puppet: model as never }, options);
  return { server, talks, model };
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 1));
}
