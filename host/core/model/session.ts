// A growing token sequence. Its KV is found by its tokens (kv_cache.ts).

import type { Completion, GenerateOptions, Prompt, Session } from "../api/api.js";
import { DISPOSE } from "../api/dispose.js";
import { adaptersOfSession, closed, part } from "../api/errors.js";
import { type AdapterList, checkGenerateOptions, checkPrompt, type Generation } from "../api/options.js";
import { ModelCompletion } from "../engine/completion.js";
import type { Engine } from "../engine/engine.js";
import type { GenerationJob } from "../engine/generate.js";
import { Queue } from "../engine/queue.js";
import { promptTokens } from "../engine/tokenizer.js";
import type { Origin } from "../kv/page_tree.js";
import { generate } from "./computed.js";

export class ModelSession implements Session {
  readonly #engine: Engine;
  #tokens: readonly number[];
  readonly #origin: Origin;
  /** Each call goes on from where the one before has ended. */
  readonly #turns = new Queue();
  readonly #adapters: AdapterList;
  #closed = false;

  /** @param origin of tokens that were not run here */
  constructor(engine: Engine, adapters: AdapterList, tokens: readonly number[] = [], origin?: Origin) {
    this.#origin = origin ?? engine.origin(undefined, adapters);
    this.#adapters = adapters;
    this.#engine = engine;
    this.#tokens = tokens;
  }

  get tokens(): readonly number[] {
    return [...this.#tokens];
  }

  complete(prompt: Prompt, options: GenerateOptions = {}): Completion {
    this.#check();
    const { vocabulary, contextLength, sampling } = this.#engine.info;
    const checked = checkPrompt(prompt, vocabulary);
    if (options?.adapters) throw adaptersOfSession(options.adapters);
    return this.run(checked, checkGenerateOptions(options, vocabulary, contextLength, sampling.text));
  }

  /** complete() with arguments that have been checked. @internal */
  run(prompt: Prompt, options: Generation): ModelCompletion {
    const engine = this.#engine;
    const job: GenerationJob = {
      options: { ...options, adapters: this.#adapters },
      sequence: (pace) => promptTokens(engine, prompt, pace, this.#tokens),
      started: (sequence) => {
        this.#tokens = sequence;
      },
      check: () => this.#check(),
      origin: this.#origin,
    };
    const turns = this.#turns;
    return new ModelCompletion(
      options.seed,
      async function* (record, signal) {
        const release = await turns.enter(signal);
        signal?.addEventListener("abort", release, { once: true }); // also while its reader is away
        try {
          yield* generate(engine, job, record, signal);
        } finally {
          signal?.removeEventListener("abort", release);
          release();
        }
      },
      job.options,
    );
  }

  async save(): Promise<Uint8Array> {
    this.#check();
    const { writeSnapshot } = await part(import("../kv/snapshot.js"));
    this.#check();
    const run = this.#tokens.slice(0, -1); // the last one is run again for its logits
    const kv = this.#engine.cache.copy(run, this.#origin);
    return writeSnapshot(this.#engine, this.#tokens, kv, this.#engine.adaptersKey(this.#adapters));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#turns.refuseAll(closed("session"));
    this.#engine.forget(this.#tokens, this.#origin);
    this.#tokens = [];
  }

  [DISPOSE](): void {
    this.close();
  }

  #check(): void {
    this.#engine.assertOpen();
    if (this.#closed) throw closed("session");
  }
}
