// A model with what the server knows of it.

import type { ModelInfo } from "../../api/api.js";
import { ApiError } from "../http/errors.js";
import { Admission } from "./admission.js";
import type { CheckedServerOptions, ServedModel } from "./options.js";

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
  readonly model: ServedModel;
  readonly admission: Admission;
  readonly created = Math.floor(Date.now() / 1000);
  readonly maxTokens: number;
  readonly #texts = new Map<number, Promise<TokenText>>();

  constructor(name: string, model: ServedModel, { maxQueue, maxTokens }: CheckedServerOptions) {
    this.name = name;
    this.model = model;
    this.maxTokens = maxTokens ?? model.info.contextLength;
    this.admission = new Admission(maxQueue);
  }

  get info(): ModelInfo {
    return this.model.info;
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
