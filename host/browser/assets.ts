// Files of the package that the caller says the place of. Loaded when there are some.

import type { CoreAsset, CoreAssets } from "../core/api/assets.js";
import { type Field, object, table } from "../core/api/check.js";
import type { Supplies } from "../core/host/create_host.js";
import { bringCores, checkCore, coresIn, filesIn } from "../core/wasm/brought_cores.js";
import { absoluteUrl, readPackageFile } from "./net/request.js";
import { startWorker } from "./net/workers.js";
import { startModelThread } from "./offload.js";
import type { Assets } from "./options.js";
import { computeThreads } from "./threads.js";

/** What the hub's worker is of. */
export interface HubAssets {
  script?: string | undefined;
  quantizer?: CoreAsset | undefined;
}

const script: Field<URL | undefined> = (value, path) =>
  value === undefined ? undefined : absoluteUrl(value as string | URL, path);
const check = table({
  core: (value): CoreAssets | undefined => value as CoreAssets | undefined, // bringCores() checks it
  worker: script,
  hub: script,
  quantizer(value, path): CoreAsset | undefined {
    if (typeof value === "string" || value instanceof URL) return absoluteUrl(value, path).href;
    return value === undefined ? undefined : checkCore(value, path);
  },
});

/** @throws ZagreusError INVALID_OPTION, SOURCE_FAILED, UNSUPPORTED_RUNTIME */
export async function bringAssets(assets: string | URL | Assets): Promise<{ supplies: Supplies; hub: HubAssets }> {
  if (typeof assets === "string" || assets instanceof URL) return bringFolder(absoluteUrl(assets, "assets"));
  const { core, worker, hub, quantizer } = check(
    object(assets, "assets", "a URL, or an object of some"),
    undefined,
    "assets",
  );
  const supplies = {
    ...(worker && workers(worker, worker)),
    ...(core !== undefined && (await bringCores(core, read))),
  };
  return { supplies, hub: { script: hub?.href, quantizer } };
}

/** A folder that has all files under their own names, as dist/. */
async function bringFolder(folder: URL): Promise<{ supplies: Supplies; hub: HubAssets }> {
  const file = filesIn(folder);
  return {
    supplies: {
      ...workers(file("browser-worker.js"), file("browser-thread.js")),
      ...(await bringCores(coresIn(file), read)),
    },
    hub: { script: file("browser-hub.js").href },
  };
}

function workers(model: URL, thread: URL): Supplies {
  const threads = computeThreads(() => startWorker(thread));
  return threads ? { threads, start: startModelThread(() => startWorker(model), thread.href) } : {};
}

function read(place: string | URL, field: string) {
  const url = absoluteUrl(place, field);
  return () => readPackageFile(url);
}
