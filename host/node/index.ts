// zagreus-edge for Node.

import type { Inspect, Load } from "../core/host/api.js";
import { createHost } from "../core/host/create_host.js";
import { fileAt } from "./files/package_files.js";
import type { NodeLoadOptions } from "./options.js";
import { node } from "./platform.js";
import type { Source } from "./source.js";

export type { CoreAsset, CoreAssets } from "../core/api/assets.js";
export type { OffloadedModel, OffloadedSession, OffloadOptions } from "../core/offload/api.js";
export * from "../index.js";
export type { Assets, NodeLoadOptions } from "./options.js";
export type { Source } from "./source.js";

/** The model that comes with the package: zagreus-nano, int8. */
export const bundledModel = fileAt(
  () => new URL("../host/models/zagreus-nano-Q8_0.gguf", import.meta.url),
  "../host/models/zagreus-nano-Q8_0.gguf",
);

const host = createHost(node);

/**
 * Loads a GGUF model, downloading it first if it is one of the hub that is not cached; with `offload: true` in a thread of its
 * own, so that a server's event loop stays free.
 * @throws ZagreusError INVALID_OPTION, SOURCE_FAILED, ABORTED, OVER_BUDGET, what is wrong with the file, or the download; with
 * `offload` THREAD_FAILED
 */
export const load: Load<Source, NodeLoadOptions> = host.load;

/** Reads a model's header: metadata, tensors, and the plan in bytes. The weights are not read. */
export const inspect: Inspect<Source, NodeLoadOptions> = host.inspect;
