// The browser's LanguageModel where the browser has none. In a service worker, which may not import() what load() needs, `model` is loaded
// or a function.

import type { LanguageModelClass } from "../../core/prompt_api/api/types.js";
import { languageModelOn, type SourceLanguageModelOptions } from "../../core/prompt_api/on_host.js";
import type { BrowserLoadOptions } from "../options.js";
import type { Source } from "../source.js";
import { availabilityOf, isKept } from "./availability.js";

export * from "../../core/prompt_api/index.js";

type LoadOptions = Omit<BrowserLoadOptions, "signal" | "onProgress">;

/** Options of languageModel() in a browser. */
export type BrowserLanguageModelOptions = SourceLanguageModelOptions<Source, LoadOptions>;

/**
 * The class LanguageModel of a model, which all sessions of it share: loaded with the first one, closed with the last. On a page the model
 * is in a worker (`offload`), and the file of a URL is kept (`cache`) where there is a private file system.
 * @throws ZagreusError INVALID_OPTION
 */
export const languageModel: (options: BrowserLanguageModelOptions) => LanguageModelClass = languageModelOn<
  Source,
  LoadOptions
>({
  async load(source, options) {
    const { load } = await import("../index.js");
    const offload = typeof document !== "undefined";
    const cache = await isKept(source, options);
    return load(source, { offload, ...options, cache } as BrowserLoadOptions & { offload: true });
  },
  availability: availabilityOf,
  isUserActive: () => globalThis.navigator?.userActivation?.hasBeenActive ?? true,
});
