// Models of the server that the page comes from, by OpenAI's API.

import type { ChatMessage, SamplingDefaults } from "../../core/api/api.js";
import { say } from "../text/say.js";
import {
  type Backend,
  type Choice,
  type Ended,
  type Figures,
  type LoadHandlers,
  lastText,
  type Ready,
  type ReplyEnd,
  type ReplyOptions,
  type ReplyPart,
  type ToolServer,
} from "./backend.js";
import { events } from "./events.js";

/** What the server says is wrong. */
export class ServerError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

interface Listed {
  id: string;
  context_length?: number;
  status?: { value: string };
}
/** A chunk of a stream. */
interface Chunk {
  choices?: { text?: string; delta?: Delta; finish_reason?: Ended | null }[];
  usage?: { prompt_tokens: number; completion_tokens: number } | null;
  prompt_progress?: { total: number; cache: number; processed: number };
  error?: { code?: string; message: string };
}
interface Delta {
  content?: string | null;
  tool_calls?: ReplyPart["toolCalls"];
}

/** Tokens of a text that a model without conversations goes on with; the server's own default is 16. */
const TEXT_TOKENS = 256;

export class Server implements Backend {
  readonly kind = "server";
  readonly #key: () => string;
  #model = "";
  /** Models that know no conversations. */
  readonly #base = new Set<string>();

  /** @param key the API key, if there is one */
  constructor(key: () => string) {
    this.#key = key;
  }

  async choices(): Promise<Choice[]> {
    const models = await this.#models();
    return models.map(({ id, status }) => ({ id, name: id, note: status?.value === "loaded" ? say("loaded") : "" }));
  }

  async load(source: string | File, { signal }: LoadHandlers): Promise<Ready> {
    const name = String(source);
    const found = (await this.#models(signal)).find(({ id }) => id === name);
    if (!found) throw new ServerError("model_not_found", `there is no model ${JSON.stringify(name)}`);
    this.#model = name;
    return { name, id: name, chats: this.#base.has(name) ? false : undefined, contextLength: found.context_length };
  }

  /** None of servers that know no such thing. */
  async toolServers(): Promise<ToolServer[]> {
    try {
      const { data } = (await (await this.#ask("mcp", {})).json()) as { data: { id: string }[] };
      return data.map(({ id }) => ({ url: new URL(`mcp/${id}`, location.href).href, headers: this.#headers() }));
    } catch {
      return [];
    }
  }

  #headers(): Record<string, string> {
    const key = this.#key();
    return key ? { authorization: `Bearer ${key}` } : {};
  }

  async remove(): Promise<void> {}

  defaults(): SamplingDefaults {
    return {};
  }

  async *reply(messages: readonly ChatMessage[], options: ReplyOptions): AsyncGenerator<ReplyPart, ReplyEnd> {
    if (!this.#base.has(this.#model)) {
      try {
        return yield* this.#stream("v1/chat/completions", { messages, ...chatFields(options) }, options);
      } catch (error) {
        if (!(error instanceof ServerError && error.code === "no_chat_template")) throw error;
        this.#base.add(this.#model);
      }
    }
    const fields = { prompt: lastText(messages, options.goesOn), max_tokens: options.maxTokens ?? TEXT_TOKENS };
    return yield* this.#stream("v1/completions", fields, options);
  }

  async #models(signal?: AbortSignal): Promise<Listed[]> {
    const response = await this.#ask("v1/models", { signal: signal ?? null });
    return (await response.json()).data;
  }

  async *#stream(path: string, fields: object, options: ReplyOptions): AsyncGenerator<ReplyPart, ReplyEnd> {
    const body = { model: this.#model, stream: true, stream_options: { include_usage: true }, return_progress: true };
    const sent = { ...sampling(options), ...fields, ...body };
    const response = await this.#ask(path, { method: "POST", body: JSON.stringify(sent), signal: options.signal });
    let ended: Ended = "stop";
    let begun: number | undefined;
    let figures: Figures | undefined;
    for await (const data of events(response.body!)) {
      if (data === "[DONE]") break;
      const { choices: [choice] = [], usage, prompt_progress: read, error } = JSON.parse(data) as Chunk;
      if (error) throw new ServerError(error.code ?? "failed", error.message);
      if (read) options.onPrefill({ done: read.processed, total: read.total, reused: read.cache });
      if (usage) figures = figuresOf(usage, begun);
      const text = choice?.delta?.content ?? choice?.text ?? "";
      const toolCalls = choice?.delta?.tool_calls;
      if (text || toolCalls) begun ??= performance.now();
      if (text || toolCalls) yield { text, toolCalls };
      if (choice?.finish_reason) ended = choice.finish_reason;
    }
    return { ended, figures };
  }

  /** @throws ServerError with the server's code, or "unreachable" */
  async #ask(path: string, init: RequestInit): Promise<Response> {
    const headers = { "content-type": "application/json", ...this.#headers() };
    let response: Response;
    try {
      response = await fetch(path, { ...init, headers });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new ServerError("unreachable", String(error));
    }
    if (response.ok) return response;
    const { error } = await response.json().catch(() => ({}));
    throw new ServerError(error?.code ?? "failed", error?.message ?? `${response.status} ${response.statusText}`);
  }
}

/** The first token comes out of the prompt. */
function figuresOf({ prompt_tokens, completion_tokens }: NonNullable<Chunk["usage"]>, begun: number | undefined) {
  const seconds = begun === undefined ? 0 : (performance.now() - begun) / 1000;
  const tokensPerSecond = seconds > 0 ? Math.max(0, completion_tokens - 1) / seconds : 0;
  return { promptTokens: prompt_tokens, completionTokens: completion_tokens, tokensPerSecond };
}

function sampling({ temperature, topP, topK, minP, repetitionPenalty, maxTokens, seed }: ReplyOptions): object {
  return {
    temperature,
    top_p: topP,
    top_k: topK,
    min_p: minP,
    repetition_penalty: repetitionPenalty,
    max_tokens: maxTokens,
    seed,
  };
}

function chatFields({ tools, mustCall, goesOn, responseFormat }: ReplyOptions): object {
  const schema = responseFormat?.type === "json_schema" ? responseFormat.schema : undefined;
  const json_schema = { name: "answer", schema };
  const calls = tools && { tools, ...(mustCall && { tool_choice: "required" }) };
  return {
    ...calls,
    ...(goesOn && { continue_final_message: true }),
    ...(schema && { response_format: { type: "json_schema", json_schema } }),
  };
}
