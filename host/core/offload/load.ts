// A model in another thread, as its caller sees it.
//
// Who keeps whom alive: the runtime keeps the thread's link, and the link the owner of every request that has no answer yet. Sessions
// and completions keep their model, a model its thread. So a model that nobody holds and that owes nobody an answer becomes garbage,
// and its thread ends; a session that nobody holds is closed in the thread.

import { IO_BYTES } from "../../../assembly/layout/abi.js";
import { AdapterHandle } from "../adapters/handle.js";
import type { AdapterFacts } from "../adapters/slots.js";
import type {
  AdapterSource,
  Build,
  ChatCompletion,
  ChatFinishReason,
  ChatMessage,
  ChatOptions,
  Completion,
  DetokenizeOptions,
  EmbedOptions,
  GenerateOptions,
  LoadedAdapter,
  LoadOptions,
  LoadProgress,
  LogitsOptions,
  LogprobsOptions,
  ModelInfo,
  ModelStats,
  Piece,
  PrefillProgress,
  Prompt,
  RefusedTool,
  ScoredToken,
  Session,
  SessionOptions,
  TokenizeOptions,
} from "../api/api.js";
import { DISPOSE } from "../api/dispose.js";
import { adaptersOfSession, closed, invalidOption, ZagreusError } from "../api/errors.js";
import { inspectable } from "../api/inspectable.js";
import {
  checkAdapterOptions,
  checkDetokenizeOptions,
  checkEmbedOptions,
  checkGenerateOptions,
  checkLogitsOptions,
  checkLogprobsOptions,
  checkPrompt,
  checkSessionOptions,
  checkTokenizeOptions,
  checkTokens,
} from "../api/options.js";
import { type GenerationRecord, ModelCompletion } from "../engine/completion.js";
import type { ByteSource } from "../load/source.js";
import { startChat } from "../model/chat_completion.js";
import type { OpenAdapter } from "../model/model.js";
import type { OffloadedModel } from "./api.js";
import { type Channel, type Handler, Link } from "./link.js";
import { unpackError } from "./packed_error.js";
import type { CompletionStep } from "./serve.js";

/** What a runtime supplies: a thread that calls serveModel(). */
export interface ModelThread extends Channel {
  /** Ends the thread and those it has started, even if it does not listen. */
  stop(): void;
}

export interface ModelThreadEvents {
  /** Something that the thread has posted. */
  message(message: unknown): void;
  /** The thread is gone or never came. Ignored after stop(). */
  failed(cause: unknown): void;
}

export type StartModelThread = (events: ModelThreadEvents) => ModelThread;

/** What a runtime supplies. */
export interface OffloadPlatform {
  start: StartModelThread;
  module(build: Build): Promise<WebAssembly.Module>;
  builds?: readonly Build[] | undefined;
  adapterFiles?: OpenAdapter | undefined;
}

/** What the thread is to open, which must be copyable, or what is opened here and sent to it. */
export type OffloadedSource = { passed: unknown } | { open(options: LoadOptions): ByteSource | Promise<ByteSource> };

/**
 * Loads a model in a thread of its own.
 * @param options checked
 * @throws ZagreusError as loadModel() does, and THREAD_FAILED
 */
export async function loadOffloaded(
  { start, module, builds, adapterFiles }: OffloadPlatform,
  source: OffloadedSource,
  options: LoadOptions,
): Promise<OffloadedModel> {
  const { signal, onProgress, ...wanted } = options;
  let opened: ByteSource | undefined;
  const thread: Thread = startModelThread(start, {
    module: (_, build: Build) => module(build),
    async openSource() {
      if ("open" in source) opened = await source.open(options);
      return opened?.size;
    },
    source: () => pieces(opened!.chunks),
    progress(_, progress: LoadProgress) {
      try {
        onProgress?.(progress);
      } catch (error) {
        thread.stop(error);
      }
    },
    prefill(_, watch: number, progress: PrefillProgress): void {
      thread.watchers.get(watch)?.(progress);
    },
  });
  try {
    const sent = "passed" in source ? { passed: source.passed } : {};
    const info = await thread.link.call<ModelInfo>("load", [sent, wanted, builds], signal);
    const model = new RemoteModel(thread, info, adapterFiles);
    abandoned.register(model, () => thread.stop(closed("model")));
    return model;
  } catch (error) {
    thread.stop(error);
    throw error;
  }
}

/** Whom nobody holds any more, and what ends it. */
const abandoned = new FinalizationRegistry<() => void>((end) => end());

interface Thread {
  link: Link;
  /** Who wants to know how far prompts are read. */
  watchers: Map<number, (progress: PrefillProgress) => void>;
  /** Ends the thread; what waits for it, and whatever is asked of it later, fails with `error`. */
  stop(error: unknown): void;
}

function startModelThread(start: StartModelThread, handlers: Readonly<Record<string, Handler>>): Thread {
  let channel: ModelThread | undefined;
  const link = new Link(
    { post: (...message) => channel?.post(...message), busy: (busy) => channel?.busy?.(busy) },
    handlers,
  );
  const stop = (error: unknown) => {
    link.fail(error);
    channel?.stop();
  };
  const failed = (cause: unknown) => stop(threadFailed(cause));
  try {
    channel = start({ message: (message) => link.receive(message), failed });
  } catch (error) {
    failed(error);
  }
  return { link, watchers: new Map(), stop };
}

class RemoteModel implements OffloadedModel {
  readonly info: ModelInfo;
  readonly #thread: Thread;
  readonly #adapterFiles: OpenAdapter | undefined;
  #sessions = 0;
  #watches = 0;

  constructor(thread: Thread, info: ModelInfo, adapterFiles: OpenAdapter | undefined) {
    this.#thread = thread;
    this.#adapterFiles = adapterFiles;
    this.info = inspectable(info);
  }

  get closed(): boolean {
    return this.#thread.link.closed;
  }

  stats(): Promise<ModelStats> {
    return this.#thread.link.call("stats", []);
  }

  complete(prompt: Prompt, options: GenerateOptions = {}): Completion {
    return this.completeIn(undefined, prompt, options);
  }

  /** A completion in a session. @internal */
  completeIn(session: number | undefined, prompt: Prompt, options: GenerateOptions, ended = async () => {}) {
    const { link } = this.#thread;
    link.assertOpen();
    const { vocabulary, contextLength, sampling } = this.info;
    const checked = checkPrompt(prompt, vocabulary);
    const generation = checkGenerateOptions(options, vocabulary, contextLength, sampling.text);
    const { signal, onPrefill, ...sent } = generation;
    const args = [session, checked, sent];
    return new ModelCompletion(
      generation.seed,
      (record, signal) => this.#generate("complete", args, { signal, onPrefill }, record, ended),
      { signal },
    );
  }

  /** The pieces of a completion or reply of the other side, whose record comes along with them. */
  async *#generate<P extends Piece, End extends ChatFinishReason>(
    method: "complete" | "chat",
    args: unknown[],
    { signal, onPrefill }: Pick<GenerateOptions, "signal" | "onPrefill">,
    record: GenerationRecord<End>,
    ended = async () => {},
  ): AsyncGenerator<P> {
    Object.assign(record, { model: this.info.name, chat: method === "chat" });
    const { link, watchers } = this.#thread;
    const watch = onPrefill && ++this.#watches;
    let thrown: { error: unknown } | undefined;
    const told = (progress: PrefillProgress) => {
      try {
        onPrefill?.(progress);
      } catch (error) {
        thrown ??= { error };
      }
    };
    if (watch !== undefined) watchers.set(watch, told);
    try {
      for await (const step of link.iterate<CompletionStep<P, End>>(method, [...args, watch], signal, this)) {
        if (thrown) throw thrown.error;
        record.tokens.push(...step.newTokens);
        Object.assign(record, step.state, { refusedTools: step.refusedTools.map(unpackRefused) });
        if (step.piece) yield step.piece;
      }
    } finally {
      if (watch !== undefined) watchers.delete(watch);
      await ended();
    }
  }

  async embed(prompt: Prompt, options: EmbedOptions = {}): Promise<Float32Array> {
    this.#thread.link.assertOpen();
    const checked = checkPrompt(prompt, this.info.vocabulary);
    const { signal, ...rest } = checkEmbedOptions(options);
    return this.#call("embed", [checked, rest], signal);
  }

  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): ChatCompletion {
    this.#thread.link.assertOpen();
    return startChat(
      this.info,
      messages,
      options,
      ({ generation: { signal: _, onPrefill, ...generation }, ...request }, record, signal) =>
        this.#generate("chat", [{ ...request, generation }], { signal, onPrefill }, record),
    );
  }

  async tokenize(text: string | Uint8Array, options: TokenizeOptions = {}): Promise<number[]> {
    return this.#call("tokenize", [copyOf(text), checkTokenizeOptions(options)]);
  }

  async detokenize(tokens: ArrayLike<number>, options: DetokenizeOptions = {}): Promise<string> {
    return this.#call("detokenize", [this.#checkTokens(tokens), checkDetokenizeOptions(options)]);
  }

  async logprobs(tokens: ArrayLike<number>, options: LogprobsOptions = {}): Promise<ScoredToken[]> {
    const { signal, ...rest } = checkLogprobsOptions(options, this.info.vocabulary);
    return this.#call("logprobs", [this.#checkTokens(tokens), rest], signal);
  }

  logits(tokens: ArrayLike<number>, options?: LogitsOptions & { all?: false | undefined }): Promise<Float32Array>;
  logits(tokens: ArrayLike<number>, options: LogitsOptions & { all: true }): AsyncIterable<Float32Array>;
  logits(tokens: ArrayLike<number>, options: LogitsOptions = {}): Promise<Float32Array> | AsyncIterable<Float32Array> {
    return options?.all ? this.#allLogits(tokens, options) : this.#lastLogits(tokens, options);
  }

  session(options: SessionOptions = {}): Session {
    const { link } = this.#thread;
    link.assertOpen();
    const id = ++this.#sessions;
    link.call("openSession", [id, checkSessionOptions(options)]).catch(() => {}); // whatever ends the link also ends the next call
    return new RemoteSession(this, link, id, []);
  }

  async restore(snapshot: Uint8Array, options: SessionOptions = {}): Promise<Session> {
    if (!(snapshot instanceof Uint8Array)) throw invalidOption("snapshot", snapshot, "a Uint8Array");
    const { link } = this.#thread;
    const id = ++this.#sessions;
    const tokens = await this.#call<number[]>("restore", [id, copyOf(snapshot), checkSessionOptions(options)]);
    return new RemoteSession(this, link, id, tokens);
  }

  async adapter(source: AdapterSource, options: { signal?: AbortSignal | undefined } = {}): Promise<LoadedAdapter> {
    const { link } = this.#thread;
    link.assertOpen();
    const { signal } = checkAdapterOptions(options);
    const { name, files } = await this.#adapterFiles!(source, signal);
    const facts = await this.#call<AdapterFacts>("openAdapter", [name, files], signal);
    return new AdapterHandle(facts, () => void link.call("closeAdapter", [facts.id]).catch(() => {})); // or the model is
  }

  close(): void {
    this.#thread.stop(closed("model"));
  }

  [DISPOSE](): void {
    this.close();
  }

  #call<T>(method: string, args: unknown[], signal?: AbortSignal): Promise<T> {
    return this.#thread.link.call(method, args, signal, this);
  }

  #checkTokens(tokens: ArrayLike<number>): number[] {
    this.#thread.link.assertOpen();
    return checkTokens(tokens, this.info.vocabulary);
  }

  async *#allLogits(tokens: ArrayLike<number>, options: LogitsOptions): AsyncGenerator<Float32Array> {
    const { signal, adapters } = checkLogitsOptions(options);
    yield* this.#thread.link.iterate<Float32Array>("allLogits", [this.#checkTokens(tokens), adapters], signal, this);
  }

  async #lastLogits(tokens: ArrayLike<number>, options: LogitsOptions): Promise<Float32Array> {
    const { signal, adapters } = checkLogitsOptions(options);
    return this.#call("lastLogits", [this.#checkTokens(tokens), adapters], signal);
  }
}

class RemoteSession implements Session {
  readonly #model: RemoteModel;
  readonly #link: Link;
  readonly #id: number;
  #tokens: readonly number[];
  #closed = false;

  constructor(model: RemoteModel, link: Link, id: number, tokens: readonly number[]) {
    this.#model = model;
    this.#link = link;
    this.#id = id;
    this.#tokens = tokens;
    abandoned.register(this, () => closeSession(link, id));
  }

  get tokens(): readonly number[] {
    return [...this.#tokens];
  }

  complete(prompt: Prompt, options: GenerateOptions = {}): Completion {
    this.#check();
    if (options?.adapters) throw adaptersOfSession(options.adapters);
    return this.#model.completeIn(this.#id, prompt, options, () => this.#ended());
  }

  async save(): Promise<Uint8Array> {
    this.#check();
    const snapshot = await this.#link.call<Uint8Array>("save", [this.#id], undefined, this);
    this.#check();
    return snapshot;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#tokens = [];
    closeSession(this.#link, this.#id);
  }

  [DISPOSE](): void {
    this.close();
  }

  async #ended(): Promise<void> {
    const ended = this.#link.call<number[]>("sessionTokens", [this.#id], undefined, this);
    const tokens = await ended.catch(() => this.#tokens);
    if (!this.#closed) this.#tokens = tokens;
  }

  #check(): void {
    this.#link.assertOpen();
    if (this.#closed) throw closed("session");
  }
}

function closeSession(link: Link, id: number): void {
  link.call("closeSession", [id]).catch(() => {}); // it is closed already, or the model is
}

function unpackRefused({ name, error }: CompletionStep["refusedTools"][number]): RefusedTool {
  return { name, error: unpackError(error) };
}

/** Bytes to give away, of a buffer of their own. */
function copyOf<T extends string | Uint8Array>(data: T): T {
  return (data instanceof Uint8Array ? new Uint8Array(data) : data) as T; // a Buffer's slice() is no copy
}

/** The chunks of a source in pieces to give away. */
async function* pieces(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    if (!(chunk instanceof Uint8Array))
      yield chunk; // the other side says what is wrong with it
    else for (let at = 0; at < chunk.length; at += IO_BYTES) yield copyOf(chunk.subarray(at, at + IO_BYTES));
  }
}

function threadFailed(cause: unknown): ZagreusError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ZagreusError("THREAD_FAILED", `the model's thread failed: ${reason}`, { cause });
}
