// The browser's LanguageModel on this engine: https://webmachinelearning.github.io/prompt-api. Read first language_model.ts, then
// session.ts.

import { LanguageModelToolCall, LanguageModelToolError, LanguageModelToolSuccess } from "./api/tool_values.js";
import type { LanguageModelClass } from "./api/types.js";
import { QuotaExceededError } from "./web/errors.js";

export {
  LanguageModelToolCall,
  LanguageModelToolError,
  type LanguageModelToolResultContent,
  LanguageModelToolSuccess,
} from "./api/tool_values.js";
export type * from "./api/types.js";
export { languageModel, type SourceLanguageModelOptions } from "./on_host.js";
export { QuotaExceededError } from "./web/errors.js";

/** Puts a class and what belongs to it where they are missing, such as in `globalThis`; a browser's own stay. */
export function install(LanguageModel: LanguageModelClass, target: object = globalThis): void {
  const globals = {
    LanguageModel,
    LanguageModelToolCall,
    LanguageModelToolSuccess,
    LanguageModelToolError,
    QuotaExceededError,
  };
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in target)) Object.defineProperty(target, name, { value, configurable: true, writable: true });
  }
}
