// Options of load() that only Node, Deno and Bun have.

import { part } from "../core/api/errors.js";
import type { Prepared } from "../core/host/create_host.js";
import { fetchableUrl } from "../core/load/url.js";
import type { ThreadSupport } from "../core/wasm/threads.js";
import type { NodeLoadOptions } from "./options.js";
import type { Source } from "./source.js";
import { workerModelThread } from "./threads/worker_threads.js";

/** Takes `assets` out of the options. @param threadsOf compute threads of a script */
export const prepareWith =
  (threadsOf: (script: URL) => ThreadSupport) =>
  async (source: Source, { assets, ...options }: NodeLoadOptions): Promise<Prepared<Source>> => {
    if (assets === undefined) return { source, options };
    const { bringAssets } = await part(import("./assets.js"));
    return { source, options, supplies: await bringAssets(assets, { fetchableUrl, threadsOf, workerModelThread }) };
  };
