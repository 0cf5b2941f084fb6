// The model that load() returns, and how it comes about.

import type {
  Build,
  Completion,
  DetokenizeOptions,
  GenerateOptions,
  LoadOptions,
  LogitsOptions,
  LogprobsOptions,
  Model,
  ModelInfo,
  Prompt,
  ScoredToken,
  Session,
  TokenizeOptions,
} from "./api.js";
import { requireSimd } from "./capabilities.js";
import { ModelCompletion } from "./completion.js";
import { Core } from "./core.js";
import { Engine } from "./engine.js";
import { invalidOption } from "./errors.js";
import type { CoreModule } from "./instantiate.js";
import { feedModel } from "./load.js";
import {
  checkDetokenizeOptions,
  checkGenerateOptions,
  checkLoadOptions,
  checkLogitsOptions,
  checkLogprobsOptions,
  checkPrompt,
  checkTokenizeOptions,
  checkTokens,
} from "./options.js";
import { checkSignal, type Macrotask, Pace } from "./pace.js";
import { logitsFrom, scoreTokens } from "./score.js";
import { ModelSession } from "./session.js";
import { readSnapshot } from "./snapshot.js";
import type { ByteSource } from "./source.js";
import { decode, encode, endTokens, promptTokens } from "./tokenizer.js";

/** What a runtime supplies. */
export interface Platform {
  /** The compiled core. */
  module(build: Build): Promise<CoreModule>;
  macrotask: Macrotask;
}

type OpenSource = (signal: AbortSignal | undefined) => ByteSource | Promise<ByteSource>;

/** Loads a model; `open` is called when the options are found right. */
export async function loadModel(open: OpenSource, options: LoadOptions, platform: Platform): Promise<Model> {
  const { core, info } = await start(open, options, platform, false);
  info.tokenizer.end = endTokens(core, info.metadata, info.vocabulary);
  return new LoadedModel(new Engine(core, info, platform.macrotask));
}

/** Reads a model's header and makes its plan, without the weights. */
export async function inspectModel(open: OpenSource, options: LoadOptions, platform: Platform): Promise<ModelInfo> {
  return (await start(open, options, platform, true)).info;
}

async function start(open: OpenSource, options: LoadOptions, platform: Platform, headerOnly: boolean) {
  const checked = checkLoadOptions(options);
  const { build = "simd", signal } = checked;
  requireSimd();
  const source = await open(signal);
  const core = await Core.create(await platform.module(build));
  const pace = new Pace(platform.macrotask, () => checkSignal(signal));
  return { core, info: await feedModel(core, source, checked, pace, headerOnly) };
}

class LoadedModel implements Model {
  readonly info: ModelInfo;
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.info = engine.info;
  }

  complete(prompt: Prompt, options: GenerateOptions = {}): Completion {
    const engine = this.#open();
    const { vocabulary } = engine.info;
    const checked = checkPrompt(prompt, vocabulary);
    return new ModelCompletion(engine, {
      options: checkGenerateOptions(options, vocabulary),
      sequence: () => promptTokens(engine, checked),
    });
  }

  tokenize(text: string | Uint8Array, options: TokenizeOptions = {}): number[] {
    const { core, info } = this.#engine;
    const { special = false, bos = info.tokenizer.addBos } = checkTokenizeOptions(options);
    if (typeof text !== "string" && !(text instanceof Uint8Array)) {
      throw invalidOption("text", text, "a string or a Uint8Array");
    }
    const tokens = encode(core, text, special);
    return bos && info.tokenizer.bos !== undefined ? [info.tokenizer.bos, ...tokens] : tokens;
  }

  detokenize(tokens: ArrayLike<number>, options: DetokenizeOptions = {}): string {
    const { core, info } = this.#engine;
    const { special = false } = checkDetokenizeOptions(options);
    return decode(core, checkTokens(tokens, info.vocabulary), special);
  }

  async logprobs(tokens: ArrayLike<number>, options: LogprobsOptions = {}): Promise<ScoredToken[]> {
    const checked = checkLogprobsOptions(options, this.info.vocabulary);
    return scoreTokens(this.#engine, this.#checkTokens(tokens), checked);
  }

  logits(tokens: ArrayLike<number>, options?: LogitsOptions & { all?: false | undefined }): Promise<Float32Array>;
  logits(tokens: ArrayLike<number>, options: LogitsOptions & { all: true }): AsyncIterable<Float32Array>;
  logits(tokens: ArrayLike<number>, options: LogitsOptions = {}): Promise<Float32Array> | AsyncIterable<Float32Array> {
    return options.all ? this.#allLogits(tokens, options) : this.#lastLogits(tokens, options);
  }

  session(): Session {
    return new ModelSession(this.#open());
  }

  async restore(snapshot: Uint8Array): Promise<Session> {
    if (!(snapshot instanceof Uint8Array)) throw invalidOption("snapshot", snapshot, "a Uint8Array");
    const engine = this.#open();
    const { tokens, kv } = readSnapshot(engine, snapshot);
    return new ModelSession(engine, tokens, kv);
  }

  close(): void {
    this.#engine.close();
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
    const { signal } = checkLogitsOptions(options);
    yield* logitsFrom(this.#engine, this.#checkTokens(tokens), 0, signal);
  }

  async #lastLogits(tokens: ArrayLike<number>, options: LogitsOptions): Promise<Float32Array> {
    const { signal } = checkLogitsOptions(options);
    const checked = this.#checkTokens(tokens);
    let last: Float32Array = new Float32Array();
    for await (const row of logitsFrom(this.#engine, checked, checked.length - 1, signal)) last = row;
    return last;
  }
}
