// A growing token sequence that keeps its KV cache.

import type { Completion, GenerateOptions, Prompt, Session } from "./api.js";
import { ModelCompletion } from "./completion.js";
import type { Engine } from "./engine.js";
import { closed } from "./errors.js";
import { generate, type Job } from "./generate.js";
import type { KvBytes, Tenant } from "./kv_cache.js";
import { checkGenerateOptions, checkPrompt } from "./options.js";
import { writeSnapshot } from "./snapshot.js";
import { promptTokens } from "./tokenizer.js";

export class ModelSession implements Session, Tenant {
  readonly #engine: Engine;
  #tokens: readonly number[];
  #closed = false;
  parked: KvBytes | undefined;

  constructor(engine: Engine, tokens: readonly number[] = [], parked?: KvBytes) {
    this.#engine = engine;
    this.#tokens = tokens;
    this.parked = parked;
  }

  get tokens(): readonly number[] {
    return [...this.#tokens];
  }

  complete(prompt: Prompt, options: GenerateOptions = {}): Completion {
    this.#check();
    const { vocabulary } = this.#engine.info;
    const checked = checkPrompt(prompt, vocabulary);
    const job: Job = {
      options: checkGenerateOptions(options, vocabulary),
      sequence: () => promptTokens(this.#engine, checked, this.#tokens),
      started: (sequence) => {
        this.#tokens = sequence;
      },
      check: () => this.#check(),
      tenant: this,
    };
    return new ModelCompletion(job.options.seed, (report) => generate(this.#engine, job, report));
  }

  async save(): Promise<Uint8Array> {
    this.#check();
    const release = await this.#engine.queue.enter();
    try {
      this.#check();
      return writeSnapshot(this.#engine, this.#tokens, this.#engine.cache.bytesOf(this));
    } finally {
      release();
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#engine.forget(this);
    this.#tokens = [];
  }

  #check(): void {
    this.#engine.assertOpen();
    if (this.#closed) throw closed("session");
  }
}
