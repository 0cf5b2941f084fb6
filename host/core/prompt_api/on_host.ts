// A class of a model that is loaded, or of one that a runtime can load.

import { invalidOption } from "../api/errors.js";
import { requireSimd } from "../wasm/capabilities.js";
import type {
  Availability,
  ClassOptions,
  LanguageModelClass,
  LanguageModelOptions,
  LoadPromptModel,
  PromptModel,
} from "./api/types.js";
import { createClass } from "./language_model.js";
import { SharedModel } from "./shared_model.js";

/** What a runtime supplies, for sources of its load(). */
export interface PromptApiHost<Source, LoadOptions> {
  load(source: Source, options: LoadOptions & Parameters<LoadPromptModel>[0]): Promise<PromptModel>;
  /** Whether a source has to be downloaded. */
  availability(source: Source, options: LoadOptions): Promise<Availability>;
  /** Whether the user has touched the page, where there is one. */
  isUserActive?(): boolean;
}

/** Options of a class whose model may be a source of load(). */
export interface SourceLanguageModelOptions<Source, LoadOptions> extends LanguageModelOptions<Source> {
  /** Options of load(), for a source as `model`. */
  load?: LoadOptions | undefined;
}

/**
 * The class LanguageModel of a model, which all sessions of it share: loaded with the first one, closed with the last.
 * @throws ZagreusError INVALID_OPTION
 */
export function languageModel(options: LanguageModelOptions): LanguageModelClass {
  const model = (options as LanguageModelOptions | undefined)?.model;
  if (!isLoadable(model)) throw invalidOption("model", model, "a model that is loaded, or a function that loads one");
  const { availability = () => "downloadable" as const } = options;
  return classOf(new SharedModel(model), options, availability, () => true);
}

/** languageModel() of a runtime, which takes sources of its load() too. */
export function languageModelOn<Source, LoadOptions extends object>(host: PromptApiHost<Source, LoadOptions>) {
  return (options: SourceLanguageModelOptions<Source, LoadOptions>): LanguageModelClass => {
    const { model, load = {} as LoadOptions, ...rest } = options ?? {};
    if (isLoadable(model)) return languageModel({ ...rest, model });
    if (model === undefined || model === null) throw invalidOption("model", model, "a model or a source of load()");
    const source = model as Source;
    const shared = new SharedModel((more) => host.load(source, { ...load, ...more }));
    const isUserActive = () => host.isUserActive?.() ?? true;
    return classOf(shared, rest, () => host.availability(source, load), isUserActive);
  };
}

function classOf(
  shared: SharedModel,
  options: ClassOptions,
  availability: () => Availability | Promise<Availability>,
  isUserActive: () => boolean,
): LanguageModelClass {
  const ofModel = async () => (canRun() ? (shared.state ?? availability()) : "unavailable");
  return createClass({ shared, options, isUserActive, availability: ofModel });
}

const isLoadable = (model: unknown): model is PromptModel | LoadPromptModel =>
  typeof model === "function" || typeof (model as PromptModel | undefined)?.complete === "function";

function canRun(): boolean {
  try {
    requireSimd();
    return true;
  } catch {
    return false;
  }
}
