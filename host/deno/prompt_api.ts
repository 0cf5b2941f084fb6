// The browser's LanguageModel in Deno.

import type { LanguageModelClass } from "../core/prompt_api/api/types.js";
import { languageModelOn } from "../core/prompt_api/on_host.js";
import { availabilityOf } from "../node/model_availability.js";
import type { NodeLoadOptions } from "../node/options.js";
import type { NodeLanguageModelOptions } from "../node/prompt_api.js";

export * from "../core/prompt_api/index.js";
export type { NodeLanguageModelOptions } from "../node/prompt_api.js";

/**
 * The class LanguageModel of a model, which all sessions of it share: loaded with the first one, closed with the last.
 * @throws ZagreusError INVALID_OPTION
 */
export const languageModel: (options: NodeLanguageModelOptions) => LanguageModelClass = languageModelOn({
  load: async (source, options) =>
    (await import("./index.js")).load(source, options as NodeLoadOptions & { offload: true }),
  availability: availabilityOf,
});
