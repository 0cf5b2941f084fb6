// A model with what the server knows of it.

import type { ModelInfo, ModelStats, TokenizeOptions } from "../../api/api.js";
import { Queue, type Release } from "../../engine/queue.js";
import { ApiError } from "../http/errors.js";
import { Admission } from "./admission.js";
import { Backlog } from "./backlog.js";
import { type CheckedServerOptions, isModel, type LazyModel, type ServedModel } from "./options.js";
import { type Pool, Slot } from "./pool.js";
import { Pulse } from "./pulse.js";

/** Texts of tokens that are remembered at most. */
const MAX_TEXTS = 16_384;

export interface TokenText {
  /** With control tokens written out, as in "<|im_start|>". */
  name: string;
  /** As it stands in a text: control tokens do not. */
  shown: string;
}

export class Served {
  readonly name: string;
  readonly admission: Admission;
  readonly backlog: Backlog;
  /** Of those who render a chat to measure its prompt. */
  readonly measuring = new Queue();
  readonly pulse = new Pulse();
  readonly created = Math.floor(Date.now() / 1000);
  readonly #maxTokens: number | undefined;
  readonly #texts = new Map<number, Promise<TokenText>>();
  readonly #pool: Pool;
  /** Of a model that is loaded when it is wanted. */
  readonly slot: Slot | undefined;
  readonly #model: ServedModel | undefined;
  #info: ModelInfo | undefined;

  constructor(name: string, model: ServedModel | LazyModel, options: CheckedServerOptions, pool: Pool) {
    this.name = name;
    this.#maxTokens = options.maxTokens;
    const atOnce = () => (this.#model?.info ?? this.#info)?.sequences ?? 1;
    this.admission = new Admission(options.maxQueue, atOnce);
    const contextLength = () => this.info.contextLength;
    this.backlog = new Backlog({ tokens: options.maxQueueTokens, atOnce, contextLength });
    this.#pool = pool;
    if (isModel(model)) this.#model = model;
    else {
      this.slot = new Slot(name, model);
      pool.add(this.slot);
    }
  }

  /** Waits until the model is there, which it is until the caller releases it. @throws as Pool.enter() */
  async use(signal: AbortSignal): Promise<Release> {
    if (!this.slot) return () => {};
    const release = await this.#pool.enter(this.slot, signal);
    this.#info = this.slot.model?.info;
    return release;
  }

  /** Of whoever uses it. */
  get model(): ServedModel {
    const model = this.#model ?? this.slot?.model;
    if (!model) throw new ApiError(503, "the model is not loaded", { code: "model_unavailable" });
    return model;
  }

  /** What the model is doing; undefined where it is not loaded, or does not say. */
  async stats(): Promise<ModelStats | undefined> {
    try {
      return await this.model.stats();
    } catch {
      return undefined;
    }
  }

  /** Of whoever uses it; while a long text is tokenized in this thread, others get their turn. */
  async tokenize(text: string, options?: TokenizeOptions): Promise<number[]> {
    const model: ServedModel & { encode?(text: string, options?: TokenizeOptions): Promise<number[]> } = this.model;
    return model.encode ? model.encode(text, options) : model.tokenize(text, options);
  }

  /** Of whoever uses it. */
  get info(): ModelInfo {
    return this.model.info;
  }

  /** Positions of its context, if it was ever loaded. */
  get contextLength(): number | undefined {
    return (this.#model?.info ?? this.#info)?.contextLength;
  }

  get status(): "loaded" | "loading" | "unloaded" | "failed" {
    if (this.#model) return this.#model.closed ? "failed" : "loaded";
    return this.slot?.loading ? "loading" : this.slot?.ready ? "loaded" : "unloaded";
  }

  get maxTokens(): number {
    return this.#maxTokens ?? this.info.contextLength;
  }

  /** @throws ApiError 400 for more than the limit */
  checkMaxTokens(wanted: number, param: string): void {
    if (wanted <= this.maxTokens) return;
    throw new ApiError(400, `${param} is ${wanted}, must be at most ${this.maxTokens}`, {
      param,
      code: "invalid_value",
    });
  }

  tokenText(token: number): Promise<TokenText> {
    const known = this.#texts.get(token);
    if (known) return known;
    if (this.#texts.size >= MAX_TEXTS) this.#texts.clear();
    const text = this.#readToken(token);
    this.#texts.set(token, text);
    text.catch(() => this.#texts.delete(token));
    return text;
  }

  async #readToken(token: number): Promise<TokenText> {
    const [name, shown] = await Promise.all([
      this.model.detokenize([token], { special: true, continues: true }),
      this.model.detokenize([token], { continues: true }),
    ]);
    return { name, shown };
  }
}
