// The plan of a part of a model, without its weights.

import type { LoadOptions, ModelInfo } from "../api/api.js";
import { object } from "../api/check.js";
import { checkSignal, Pace } from "../engine/pace.js";
import { feedModel } from "../load/load.js";
import type { ByteSource } from "../load/source.js";
import type { Platform } from "../model/model.js";
import { chooseBuild } from "../wasm/builds.js";
import { startCore } from "../wasm/start_core.js";
import { checkLayers, checkPartOptions, type ShardOptions } from "./options.js";

/** @param given without `layers`, of the edge. @throws ZagreusError as inspect() does */
export async function inspectPart(
  open: (options: LoadOptions) => ByteSource | Promise<ByteSource>,
  platform: Platform,
  given: Partial<ShardOptions> = {},
): Promise<ModelInfo> {
  const { layers, sha256: _, ...rest } = object(given, "options") as Partial<ShardOptions>;
  const [first, end] = layers === undefined ? [0, 0] : checkLayers(layers);
  const options = checkPartOptions(rest);
  const choice = chooseBuild(options, platform.threads, platform.probes, platform.builds);
  const { core } = await startCore(choice, platform, false);
  core.check(core.exports.takePart(layers ? 0 : 1, first, end));
  const pace = new Pace(platform.macrotask, () => checkSignal(options.signal));
  return feedModel(core, await open(options), choice, options, pace, true);
}
