// Where `zagreus serve` keeps what prompts begin with.

import type { Command } from "commander";
import type { LoadOptions } from "../../index.js";
import { integer } from "../shared/arguments.js";

export interface PromptCacheFlags {
  promptCache?: string | false;
  /** MiB. */
  promptCacheSize: number;
}

/** Adds --prompt-cache, --prompt-cache-size and --no-prompt-cache. */
export function withPromptCache(command: Command): Command {
  const help =
    "where what prompts begin with is kept over restarts, for your eyes only (default: beside the hub's cache)";
  return command
    .option("--prompt-cache <folder>", help)
    .option("--prompt-cache-size <mib>", "size of that folder at most", integer(1), 1024)
    .option("--no-prompt-cache", "keep no prompts on the disk");
}

/** The option of load() that the flags mean. */
export function promptCacheOf({ promptCache, promptCacheSize }: PromptCacheFlags): LoadOptions["promptCache"] {
  return promptCache !== false && { folder: promptCache, bytes: promptCacheSize * 2 ** 20 };
}
