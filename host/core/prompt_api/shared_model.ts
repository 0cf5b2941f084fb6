// One model for all sessions of a class: loaded with the first, closed with the last.

import type { LoadProgress } from "../api/api.js";
import type { LoadPromptModel, PromptModel } from "./api/types.js";
import { untilAborted } from "./web/abortable.js";

interface Loading {
  model: Promise<PromptModel>;
  stop: AbortController;
}

export class SharedModel {
  /** Absent where the caller has loaded the model. */
  readonly #load: LoadPromptModel | undefined;
  readonly #watchers = new Set<(progress: LoadProgress) => void>();
  #model: PromptModel | undefined;
  #loading: Loading | undefined;
  /** Sessions, and calls that wait to have one. */
  #users = 0;

  constructor(model: PromptModel | LoadPromptModel) {
    if (typeof model === "function") this.#load = model;
    else this.#model = model;
  }

  /** What is known without asking anybody; undefined for a model that is not loaded. */
  get state(): "available" | "downloading" | "unavailable" | undefined {
    if (this.#model && !this.#model.closed) return "available";
    if (!this.#load) return "unavailable";
    return this.#loading && "downloading";
  }

  /**
   * The model, until release(). When nobody waits for it any more, loading stops.
   * @throws the signal's reason, or what loading throws
   */
  async acquire(signal: AbortSignal | undefined, watch: (progress: LoadProgress) => void): Promise<PromptModel> {
    this.#users++;
    this.#watchers.add(watch);
    try {
      return await untilAborted(this.#loaded(), signal);
    } catch (error) {
      this.release();
      throw error;
    } finally {
      this.#watchers.delete(watch);
    }
  }

  /** Gives back what acquire() gave. */
  release(): void {
    if (--this.#users > 0 || !this.#load) return;
    this.#loading?.stop.abort();
    this.#loading = undefined;
    this.#model?.close();
    this.#model = undefined;
  }

  async #loaded(): Promise<PromptModel> {
    if (this.#model && !this.#model.closed) return this.#model;
    this.#loading ??= this.#begin(this.#load!);
    return this.#loading.model;
  }

  #begin(load: LoadPromptModel): Loading {
    const stop = new AbortController();
    const onProgress = (progress: LoadProgress) => {
      for (const watch of this.#watchers) watch(progress);
    };
    const ended = <T>(result: T): T => {
      if (!stop.signal.aborted) this.#loading = undefined;
      return result;
    };
    const model = (async () => load({ signal: stop.signal, onProgress }))().then(
      (loaded) => {
        if (stop.signal.aborted) loaded.close();
        else this.#model = loaded;
        return ended(loaded);
      },
      (error) => {
        throw ended(error);
      },
    );
    model.catch(() => {}); // whoever waits hears of it
    return { model, stop };
  }
}
