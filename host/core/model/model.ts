// The model that load() returns, and how it comes about.

import type { AdapterFiles } from "../adapters/read.js";
import type {
  AdapterSource,
  ChatCompletion,
  ChatMessage,
  ChatOptions,
  Completion,
  DetokenizeOptions,
  EmbedOptions,
  GenerateOptions,
  LoadedAdapter,
  LoadOptions,
  LogitsOptions,
  LogprobsOptions,
  Model,
  ModelInfo,
  ModelStats,
  Prompt,
  ResponseFormat,
  ScoredToken,
  SessionOptions,
  TokenizeOptions,
} from "../api/api.js";
import { DISPOSE } from "../api/dispose.js";
import { invalidOption, part } from "../api/errors.js";
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
  type Generation,
} from "../api/options.js";
import type { LayersElsewhere } from "../engine/batch/elsewhere.js";
import { ModelCompletion } from "../engine/completion.js";
import { Engine } from "../engine/engine.js";
import { checkSignal, type Macrotask, Pace } from "../engine/pace.js";
import type { Release } from "../engine/queue.js";
import { decode, encode, encodeInSlices, endTokens, markers, promptTokens } from "../engine/tokenizer.js";
import type { OpenPageFiles, PromptCacheOptions } from "../kv/disk/open.js";
import { feedModel } from "../load/load.js";
import type { ByteSource } from "../load/source.js";
import { chooseBuild } from "../wasm/builds.js";
import type { Probes } from "../wasm/capabilities.js";
import type { Core } from "../wasm/core.js";
import { type CorePlatform, startCore, withThreadsOrOne } from "../wasm/start_core.js";
import { answerBy, startChat } from "./chat_completion.js";
import { compileFormat, embed, generate, logitsFrom, scoreTokens } from "./computed.js";
import { ModelSession } from "./session.js";

/** What a runtime supplies. */
export interface Platform extends CorePlatform {
  macrotask: Macrotask;
  /** Where the engine compiles no bytes. */
  probes?: Probes;
  /** Opens an adapter; absent where its bytes come from another thread. */
  adapterFiles?: OpenAdapter;
  /** Where prompts are kept; absent where there are no files. */
  pageFiles?: OpenPageFiles;
}

export type OpenAdapter = (
  source: AdapterSource,
  signal: AbortSignal | undefined,
) => Promise<{ name: string; files: AdapterFiles }>;

type OpenSource = (options: LoadOptions) => ByteSource | Promise<ByteSource>;

/** What is said to a core that gets the edge of a model, and where its layers are. */
export interface Edge {
  part(core: Core): void;
  connect(info: ModelInfo): Promise<LayersElsewhere>;
}

/** Loads a model, or its edge, with options that were checked; `open` is called when there is a core to feed. */
export async function loadModel(
  open: OpenSource,
  options: LoadOptions,
  platform: Platform,
  edge?: Edge,
): Promise<LoadedModel> {
  const { core, info, threads } = await start(open, options, platform, false, edge);
  const engine = new Engine(core, info, threads, platform.macrotask, options);
  try {
    await threads.ready();
    engine.elsewhere = await edge?.connect(info);
    await (await part(import("../engine/warm_up.js"))).warmUp(engine, options.signal);
    const promptCache = options.promptCache as PromptCacheOptions | undefined;
    if (promptCache) {
      const { openPromptCache } = await part(import("../kv/disk/open.js"));
      engine.prompts = await openPromptCache(engine, promptCache, platform.pageFiles);
    }
  } catch (error) {
    engine.close();
    throw error;
  }
  return new LoadedModel(engine, platform.adapterFiles);
}

/** Reads a model's header and makes its plan, without the weights. */
export async function inspectModel(open: OpenSource, options: LoadOptions, platform: Platform): Promise<ModelInfo> {
  return (await start(open, options, platform, true)).info;
}

async function start(open: OpenSource, options: LoadOptions, platform: Platform, headerOnly: boolean, edge?: Edge) {
  const { signal } = options;
  const choice = chooseBuild(options, platform.threads, platform.probes, platform.builds);
  let started = await startCore(choice, platform, !headerOnly);
  try {
    const source = await open(options); // while threads start
    started = await withThreadsOrOne(started, options, platform);
    const { core, threads } = started;
    edge?.part(core);
    const pace = new Pace(platform.macrotask, () => checkSignal(signal));
    const info = await feedModel(core, source, started.choice, options, pace, headerOnly);
    info.tokenizer.end = endTokens(core, info.tokenizer.end, info.vocabulary);
    Object.assign(info.tokenizer, await markers(core, info.vocabulary, pace));
    info.sampling = (await part(import("../chat/presets.js"))).samplingOf(info);
    const { inspectable } = await part(import("../api/inspectable.js"));
    return { core, info: inspectable(info), threads };
  } catch (error) {
    started.threads.stop();
    throw error;
  }
}

export class LoadedModel implements Model {
  readonly info: ModelInfo;
  readonly #engine: Engine;
  readonly #adapterFiles: OpenAdapter | undefined;
  /** Answers a chat whose arguments have been checked. @internal */
  readonly answer: ReturnType<typeof answerBy>;

  constructor(engine: Engine, adapterFiles?: OpenAdapter) {
    this.#engine = engine;
    this.#adapterFiles = adapterFiles;
    this.info = engine.info;
    this.answer = answerBy({
      info: engine.info,
      tokenize: (text, options) => this.encode(text, options),
      complete: (prompt, options) => this.complete(prompt, options),
      takeTurn: (client, signal) => engine.takeTurn(client, signal),
    });
  }

  get closed(): boolean {
    return this.#engine.closed;
  }

  stats(): ModelStats {
    return this.#open().stats;
  }

  complete(prompt: Prompt, options: GenerateOptions = {}): Completion {
    const engine = this.#open();
    const { vocabulary, contextLength, sampling } = engine.info;
    const checked = checkPrompt(prompt, vocabulary);
    const generation = checkGenerateOptions(options, vocabulary, contextLength, sampling.text);
    return this.run(checked, generation, engine.turnOf(prompt));
  }

  /** complete() with arguments that have been checked. @internal */
  run(prompt: Prompt, options: Generation, turn?: Release): ModelCompletion {
    const engine = this.#engine;
    const job = { options, turn, sequence: (pace: Pace) => promptTokens(engine, prompt, pace) };
    return new ModelCompletion(options.seed, (...reader) => generate(engine, job, ...reader), job.options);
  }

  async embed(prompt: Prompt, options: EmbedOptions = {}): Promise<Float32Array> {
    const engine = this.#open();
    const checked = checkPrompt(prompt, engine.info.vocabulary);
    return embed(engine, (pace) => promptTokens(engine, checked, pace), checkEmbedOptions(options));
  }

  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): ChatCompletion {
    this.#open();
    return startChat(this.info, messages, options, this.answer);
  }

  async compileGrammar(format: ResponseFormat): Promise<Uint8Array> {
    const engine = this.#open();
    const { vocabulary, contextLength } = engine.info;
    const { responseFormat } = checkGenerateOptions({ responseFormat: format }, vocabulary, contextLength);
    return compileFormat(engine, responseFormat ?? { type: "text" }, engine.pace(undefined));
  }

  tokenize(text: string | Uint8Array, options: TokenizeOptions = {}): number[] {
    const { core, info } = this.#engine;
    const checked = checkTokenizeOptions(options);
    checkText(text);
    return withBos(info, checked.bos, encode(core, text, checked));
  }

  /** tokenize() with options that have been checked, in slices. @internal */
  async encode(text: string | Uint8Array, options: TokenizeOptions = {}): Promise<number[]> {
    const engine = this.#engine;
    checkText(text);
    const tokens = await encodeInSlices(engine, text, options, engine.pace(undefined));
    return withBos(engine.info, options.bos, tokens);
  }

  detokenize(tokens: ArrayLike<number>, options: DetokenizeOptions = {}): string {
    const { core, info } = this.#engine;
    const { special = false, continues = false } = checkDetokenizeOptions(options);
    return decode(core, checkTokens(tokens, info.vocabulary), special, continues);
  }

  async logprobs(tokens: ArrayLike<number>, options: LogprobsOptions = {}): Promise<ScoredToken[]> {
    const scoring = checkLogprobsOptions(options, this.info.vocabulary);
    return scoreTokens(this.#engine, this.#checkTokens(tokens), scoring);
  }

  logits(tokens: ArrayLike<number>, options?: LogitsOptions & { all?: false | undefined }): Promise<Float32Array>;
  logits(tokens: ArrayLike<number>, options: LogitsOptions & { all: true }): AsyncIterable<Float32Array>;
  logits(tokens: ArrayLike<number>, options: LogitsOptions = {}): Promise<Float32Array> | AsyncIterable<Float32Array> {
    return options?.all ? this.#allLogits(tokens, options) : this.#lastLogits(tokens, options);
  }

  session(options: SessionOptions = {}): ModelSession {
    return new ModelSession(this.#open(), checkSessionOptions(options).adapters);
  }

  async restore(snapshot: Uint8Array, options: SessionOptions = {}): Promise<ModelSession> {
    if (!(snapshot instanceof Uint8Array)) throw invalidOption("snapshot", snapshot, "a Uint8Array");
    const { adapters } = checkSessionOptions(options);
    const engine = this.#open();
    const { readSnapshot } = await part(import("../kv/snapshot.js"));
    const { tokens, kv } = readSnapshot(engine, snapshot, engine.adaptersKey(adapters));
    const origin = {};
    engine.cache.restore(tokens, kv, origin);
    return new ModelSession(engine, adapters, tokens, origin);
  }

  async adapter(source: AdapterSource, options: { signal?: AbortSignal | undefined } = {}): Promise<LoadedAdapter> {
    this.#open();
    const { signal } = checkAdapterOptions(options);
    const { name, files } = await this.#adapterFiles!(source, signal);
    return this.adapterOf(name, files, signal);
  }

  /** adapter() of bytes. @internal */
  async adapterOf(name: string, files: AdapterFiles, signal?: AbortSignal): Promise<LoadedAdapter> {
    const { openAdapter } = await part(import("./open_adapter.js"));
    return openAdapter(this.#open(), name, files, signal);
  }

  close(): void {
    this.#engine.close();
  }

  [DISPOSE](): void {
    this.close();
  }

  /** @throws ZagreusError CLOSED */
  #open(): Engine {
    this.#engine.assertOpen();
    return this.#engine;
  }

  #checkTokens(tokens: ArrayLike<number>): number[] {
    this.#open();
    const checked = checkTokens(tokens, this.info.vocabulary);
    if (checked.length === 0) throw invalidOption("tokens", tokens, "at least one token");
    return checked;
  }

  async *#allLogits(tokens: ArrayLike<number>, options: LogitsOptions): AsyncGenerator<Float32Array> {
    yield* logitsFrom(this.#engine, this.#checkTokens(tokens), 0, checkLogitsOptions(options));
  }

  async #lastLogits(tokens: ArrayLike<number>, options: LogitsOptions): Promise<Float32Array> {
    const given = checkLogitsOptions(options);
    const checked = this.#checkTokens(tokens);
    let last: Float32Array = new Float32Array();
    for await (const row of logitsFrom(this.#engine, checked, checked.length - 1, given)) last = row;
    return last;
  }
}

function checkText(text: unknown): void {
  if (typeof text !== "string" && !(text instanceof Uint8Array)) {
    throw invalidOption("text", text, "a string or a Uint8Array");
  }
}

function withBos({ tokenizer }: ModelInfo, wanted = tokenizer.addBos, tokens: number[]): number[] {
  if (wanted && tokenizer.bos !== undefined) tokens.unshift(tokenizer.bos);
  return tokens;
}
