// The browser's LanguageModel in Node and Bun.

import type { LanguageModelClass } from "../core/prompt_api/api/types.js";
import { languageModelOn, type SourceLanguageModelOptions } from "../core/prompt_api/on_host.js";
import { availabilityOf } from "./model_availability.js";
import type { NodeLoadOptions } from "./options.js";
import type { Source } from "./source.js";

export * from "../core/prompt_api/index.js";

/** Options of languageModel() in Node, Deno and Bun. */
export type NodeLanguageModelOptions = SourceLanguageModelOptions<
  Source,
  Omit<NodeLoadOptions, "signal" | "onProgress">
>;

/**
 * The class LanguageModel of a model, which all sessions of it share: loaded with the first one, closed with the last.
 * @throws ZagreusError INVALID_OPTION
 */
export const languageModel: (options: NodeLanguageModelOptions) => LanguageModelClass = languageModelOn({
  load: async (source, options) =>
    (await import("./index.js")).load(source, options as NodeLoadOptions & { offload: true }),
  availability: availabilityOf,
});
