// The prompt cache of a loaded model.

import type { ModelInfo } from "../../api/api.js";
import { ZagreusError } from "../../api/errors.js";
import type { KvCache } from "../kv_cache.js";
import { PAGE_TOKENS } from "../page_tree.js";
import type { PageFiles } from "./page_files.js";
import { VERSION } from "./page_format.js";
import { PageStore } from "./page_store.js";
import { PromptCache } from "./prompt_cache.js";

/** Opens a folder of the runtime's; without a name its own. */
export type OpenPageFiles = (folder: string | undefined) => Promise<PageFiles>;

/** `promptCache` of load(), with defaults filled in. */
export interface PromptCacheOptions {
  folder?: string | undefined;
  bytes: number;
}

/**
 * @param open absent where a runtime has no files
 * @throws ZagreusError UNSUPPORTED_RUNTIME
 */
export async function openPromptCache(
  { cache, info }: { cache: KvCache; info: ModelInfo },
  { folder, bytes }: PromptCacheOptions,
  open: OpenPageFiles | undefined,
): Promise<PromptCache> {
  if (!open) {
    const message = 'option "promptCache" cannot be given: this runtime has no files that prompts could be kept in';
    throw new ZagreusError("UNSUPPORTED_RUNTIME", message, { field: "promptCache" });
  }
  const { layers, kvHeads, headSize, kvType, contextLength } = info;
  const { core, pageBytes } = cache;
  const model = BigInt.asUintN(64, core.exports.modelHash()).toString(16);
  const facts = { version: VERSION, model, layers, kvHeads, headSize, kvType, pageTokens: PAGE_TOKENS, pageBytes };
  const report = (line: string) => console.warn(`zagreus: ${line}`);
  return new PromptCache(cache, new PageStore(await open(folder), bytes, report), facts, contextLength);
}
