// A session: what was said, one call at a time.

import type { ToolCall } from "../api/api.js";
import { LanguageModelToolCall } from "./api/tool_values.js";
import type { ClassOptions, LanguageModelAnswerPart, PromptModel } from "./api/types.js";
import type { ChatFormat } from "./format.js";
import { type Constraint, formatOf, withSchema } from "./input/constraint.js";
import type { Message, Part } from "./input/messages.js";
import type { CoreOptions } from "./input/options.js";
import { type Reply, reply } from "./reply.js";
import { domError, promptError, QuotaExceededError } from "./web/errors.js";

/** Messages that are dropped together: a prompt with its answer, or what one append() brought. */
interface Turn {
  messages: readonly Message[];
  usage: number;
}

/** What a session is made of. */
export interface SessionInit {
  model: PromptModel;
  format: ChatFormat;
  core: CoreOptions;
  options: ClassOptions;
  /** Gives the model back. */
  release: () => void;
}

export interface PromptRequest {
  messages: readonly Message[];
  constraint: Constraint | undefined;
  /** Whether a schema stays out of the prompt. */
  omit: boolean;
}

/** What whoever asks is told meanwhile. */
export interface PromptEvents {
  /** A text, or a call that somebody else has to make. */
  say(chunk: string | LanguageModelAnswerPart): void;
  /** Prompts have been dropped. */
  overflowed(): void;
}

/** Calls of tools that are executed here, one answer after the other, at most. */
const MOST_ROUNDS = 5;
/** Tokens that an answer has where a prompt fills the window. */
const LEAST_ANSWER = 256;

export class Session {
  readonly init: SessionInit;
  readonly contextWindow: number;
  /** What is never dropped. */
  #initial: Turn = { messages: [], usage: 0 };
  #turns: Turn[] = [];
  readonly #life = new AbortController();
  #last: Promise<unknown> = Promise.resolve();
  /** Calls that have not ended. */
  #calls = 0;

  constructor(init: SessionInit) {
    this.init = init;
    const { contextLength } = init.model.info;
    const answer = Math.min(LEAST_ANSWER, contextLength >> 2);
    this.contextWindow = Math.max(contextLength - init.format.preamble - answer, 0);
  }

  get contextUsage(): number {
    return this.#turns.reduce((sum, { usage }) => sum + usage, this.#initial.usage);
  }

  /** Whether something has been said, or is going to be. */
  get hasBegun(): boolean {
    return this.#calls > 0 || this.#messages().length > 0;
  }

  /** Aborted when the session is destroyed, with the reason. */
  get life(): AbortSignal {
    return this.#life.signal;
  }

  destroy(reason: unknown = domError("InvalidStateError", "the session has been destroyed")): void {
    if (this.life.aborted) return;
    this.#life.abort(reason);
    this.init.release();
  }

  /** What clone() gives. @param release gives back the model that it was given for itself */
  copy(release: () => void): Session {
    const copy = new Session({ ...this.init, release });
    copy.#initial = this.#initial;
    copy.#turns = [...this.#turns];
    return copy;
  }

  /** The messages that a session begins with; tools may leave them no window at all. @throws QuotaExceededError */
  async begin(messages: readonly Message[], signal: AbortSignal | undefined): Promise<void> {
    const { format, model } = this.init;
    const usage = await format.measure(messages);
    const { contextLength } = model.info;
    if (this.contextWindow === 0) {
      throw this.#tooMuch(Math.max(format.preamble + usage, contextLength + 1), contextLength);
    }
    if (usage > this.contextWindow) throw this.#tooMuch(usage);
    if (messages.length === 0) return;
    this.#initial = { messages, usage };
    await this.#prefill(signal);
  }

  measure({ messages, constraint, omit }: PromptRequest): Promise<number> {
    return this.init.format.measure(omit ? messages : withSchema(messages, constraint));
  }

  /**
   * Runs a call when those before it have ended. When one of its signals fires or the session is destroyed it fails at once with the
   * reason.
   * @param run gets a signal that fires then
   */
  inTurn<T>(signals: readonly (AbortSignal | undefined)[], run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const own = new AbortController();
    this.#calls++;
    return new Promise<T>((resolve, reject) => {
      const sources = [this.life, ...signals].filter((signal) => signal !== undefined);
      const ends = sources.map((source) => {
        const end = () => {
          own.abort(source.reason);
          reject(source.reason);
        };
        if (source.aborted) end();
        source.addEventListener("abort", end, { once: true });
        return () => source.removeEventListener("abort", end);
      });
      const turn = async () => {
        try {
          if (!own.signal.aborted) resolve(await run(own.signal));
        } catch (error) {
          reject(error);
        } finally {
          this.#calls--;
          for (const forget of ends) forget();
        }
      };
      this.#last = this.#last.then(turn);
    });
  }

  /** Adds messages, and lets the model read them. @throws QuotaExceededError */
  async append(messages: readonly Message[], { overflowed }: Pick<PromptEvents, "overflowed">, signal: AbortSignal) {
    const usage = await this.init.format.measure(messages);
    this.#makeRoom(usage, overflowed);
    const before = { initial: this.#initial, turns: this.#turns };
    try {
      await this.#add(messages, signal);
      await this.#prefill(signal);
      signal.throwIfAborted();
    } catch (error) {
      this.#initial = before.initial;
      this.#turns = before.turns;
      throw error;
    }
  }

  /**
   * The answer: its text, or its parts where it has calls that are not made here.
   * @throws QuotaExceededError | DOMException; what is thrown leaves the session as it was, but for what had to make room
   */
  async prompt(
    { messages, constraint, omit }: PromptRequest,
    events: PromptEvents,
    signal: AbortSignal,
  ): Promise<string | LanguageModelAnswerPart[]> {
    const { format, core } = this.init;
    const asked = [...(omit ? messages : withSchema(messages, constraint))];
    const last = asked.at(-1)!;
    const prefix = last.prefix ? textOf(last) : "";
    const usage = await format.measure(asked);
    const { tools } = core;
    const responseFormat = await this.#converting(constraint, () => formatOf(constraint, tools, prefix));
    this.#makeRoom(usage, events.overflowed);
    if (last.prefix) asked.pop();
    const said: string[] = [];
    for (let round = 0; ; round++) {
      const mayCall = tools.length > 0 && (round < MOST_ROUNDS || !this.#executes);
      const beginning = round === 0 ? prefix : "";
      const prompt = await this.#fitting(asked, beginning, mayCall, events.overflowed);
      const request = { prompt, format: mayCall || round === 0 ? responseFormat : undefined, mayCall, signal };
      const answer = await this.#converting(constraint, () =>
        reply(this.init.model, { ...request, core, options: this.init.options }, (text) => {
          if (!signal.aborted) events.say(text);
        }),
      );
      signal.throwIfAborted();
      said.push(answer.text);
      asked.push(messageOf(beginning, answer));
      if (answer.calls.length > 0 && this.#executes) {
        asked.push({ role: "user", parts: await this.#execute(answer.calls, signal), prefix: false });
        continue;
      }
      await this.#add(asked, signal);
      return answer.calls.length > 0 ? partsOf(answer, events) : said.join("");
    }
  }

  /** Whether calls are made here. */
  get #executes(): boolean {
    return this.init.core.tools.every(({ execute }) => execute);
  }

  /** All at once, as the explainer wants; what fails is for the model to know. */
  async #execute(calls: readonly ToolCall[], signal: AbortSignal): Promise<Part[]> {
    const results = calls.map(async ({ id, function: called }): Promise<Part> => {
      const tool = this.init.core.tools.find((known) => known.function.name === called.name);
      try {
        return { type: "result", id, text: `${await tool!.execute!(JSON.parse(called.arguments))}` };
      } catch (error) {
        const message = error instanceof Error ? error.message : `${error}`;
        return { type: "result", id, text: JSON.stringify({ error: message }) };
      }
    });
    const all = await Promise.all(results);
    signal.throwIfAborted();
    return all;
  }

  async #converting<T>(constraint: Constraint | undefined, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw promptError(error, constraint !== undefined);
    }
  }

  /** Drops the oldest turns until there is room. @throws QuotaExceededError, and then nothing is dropped */
  #makeRoom(usage: number, overflowed: () => void): void {
    if (this.#initial.usage + usage > this.contextWindow) throw this.#tooMuch(usage);
    let dropped = 0;
    for (let all = this.contextUsage; all + usage > this.contextWindow; dropped++) all -= this.#turns[dropped]!.usage;
    if (dropped === 0) return;
    this.#turns = this.#turns.slice(dropped);
    overflowed();
  }

  /** The prompt, which measures say has room; where the template makes more of it, further turns go. */
  async #fitting(asked: readonly Message[], prefix: string, mayCall: boolean, overflowed: () => void) {
    const { model, format } = this.init;
    for (;;) {
      const messages = [...this.#messages(), ...asked];
      const prompt = await this.#converting(undefined, () => format.prompt(messages, prefix, mayCall));
      if (prompt.tokens.length < model.info.contextLength) return prompt;
      if (this.#turns.length === 0) throw this.#tooMuch(Math.max(prompt.tokens.length, this.contextWindow + 1));
      this.#turns = this.#turns.slice(1);
      overflowed();
    }
  }

  /** Puts messages behind the others, as turns; a system message stays for good. */
  async #add(messages: readonly Message[], signal: AbortSignal): Promise<void> {
    const turns: Message[][] = [];
    messages.forEach((message, i) => {
      const begins = message.role === "user" && messages[i - 1]?.role === "assistant" && !isResult(message);
      const afterSystem = messages[i - 1]?.role === "system";
      if (i === 0 || begins || afterSystem) turns.push([]);
      turns.at(-1)!.push(message);
    });
    const added = await Promise.all(
      turns.map(async (turn) => ({ messages: turn, usage: await this.init.format.measure(turn) })),
    );
    signal.throwIfAborted();
    if (messages[0]?.role === "system") this.#initial = added.shift()!;
    this.#turns = [...this.#turns, ...added];
  }

  /** Lets the model read what is there, so that the next answer comes sooner; a template may not want to end here. */
  async #prefill(signal: AbortSignal | undefined): Promise<void> {
    const { model, format } = this.init;
    const prompt = await format.prompt(this.#messages()).catch(() => undefined);
    if (!prompt || prompt.tokens.length >= model.info.contextLength) return;
    try {
      await model.complete(prompt.tokens, { maxTokens: 0, signal }).text();
    } catch (error) {
      signal?.throwIfAborted();
      throw promptError(error, false);
    }
  }

  #messages(): Message[] {
    return [this.#initial, ...this.#turns].flatMap(({ messages }) => messages);
  }

  #tooMuch(requested: number, quota = this.contextWindow): DOMException {
    return new QuotaExceededError(`the input takes ${requested} tokens, must be at most ${quota}`, {
      requested,
      quota,
    });
  }
}

const textOf = ({ parts }: Message): string => parts.map((part) => (part.type === "text" ? part.text : "")).join("");

const isResult = ({ parts }: Message): boolean => parts.some(({ type }) => type === "result");

function messageOf(prefix: string, { text, calls }: Reply): Message {
  const parts: Part[] = calls.map(({ id, function: call }) => ({
    type: "call",
    id,
    name: call.name,
    arguments: call.arguments,
  }));
  const said = prefix + text;
  return {
    role: "assistant",
    parts: said || calls.length === 0 ? [{ type: "text", text: said }, ...parts] : parts,
    prefix: false,
  };
}

/** An answer with calls: text first. */
function partsOf({ text, calls }: Reply, { say }: PromptEvents): LanguageModelAnswerPart[] {
  const made = calls.map(({ id, function: call }): LanguageModelAnswerPart => {
    const value = new LanguageModelToolCall({ callID: id, name: call.name, arguments: JSON.parse(call.arguments) });
    return { type: "tool-call", value };
  });
  for (const call of made) say(call);
  return [...(text ? [{ type: "text" as const, value: text }] : []), ...made];
}
