// Files of the package that the caller says the place of. Loaded when there are some; what load() itself needs comes from there, so that
// it stays in few chunks.

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import type { CoreAssets } from "../core/api/assets.js";
import { object, table } from "../core/api/check.js";
import type { Supplies } from "../core/host/create_host.js";
import type { fetchableUrl } from "../core/load/url.js";
import { bringCores, coresIn, filesIn } from "../core/wasm/brought_cores.js";
import type { ThreadSupport } from "../core/wasm/threads.js";
import type { Assets } from "./options.js";
import type { workerModelThread } from "./threads/worker_threads.js";

interface Tools {
  fetchableUrl: typeof fetchableUrl;
  workerModelThread: typeof workerModelThread;
  threadsOf(script: URL): ThreadSupport;
}

/** @throws ZagreusError INVALID_OPTION, SOURCE_FAILED, UNSUPPORTED_RUNTIME */
export async function bringAssets(assets: string | URL | Assets, tools: Tools): Promise<Supplies> {
  const locate = (place: unknown, field: string) => locateBy(tools.fetchableUrl, place as string | URL, field);
  const read = (place: string | URL, field: string) => {
    const url = locate(place, field);
    return async () => (url.protocol === "file:" ? readFile(url) : fetched(url));
  };
  if (typeof assets === "string" || assets instanceof URL) {
    const file = filesIn(locate(assets, "assets"));
    const cores = await bringCores(coresIn(file), read);
    return { ...workers(file("model_thread.js"), file("compute_thread.js"), tools), ...cores };
  }
  const check = table({
    core: (value): CoreAssets | undefined => value as CoreAssets | undefined, // bringCores() checks it
    worker: (value, path) => (value === undefined ? undefined : locate(value, path)),
  });
  const { core, worker } = check(object(assets, "assets", "a path, a URL, or an object of some"), undefined, "assets");
  return { ...(worker && workers(worker, worker, tools)), ...(core !== undefined && (await bringCores(core, read))) };
}

function workers(model: URL, thread: URL, { threadsOf, workerModelThread }: Tools): Supplies {
  const options = { execArgv: [], workerData: { thread: thread.href } };
  return { threads: threadsOf(thread), start: workerModelThread(() => new Worker(model, options)) };
}

async function fetched(url: URL): Promise<ArrayBuffer> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`HTTP status is ${response.status}`);
  return response.arrayBuffer();
}

/** @throws ZagreusError INVALID_OPTION */
function locateBy(asUrl: typeof fetchableUrl, place: string | URL, field: string): URL {
  const isPath = typeof place === "string" && !/^[a-z][a-z\d+.-]+:/i.test(place); // a drive has one letter
  return isPath ? pathToFileURL(resolve(place)) : asUrl(place, field);
}
