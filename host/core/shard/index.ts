// A model in parts: its edge here, its layers in shards anywhere. frames.ts draws what they say to each other.
//
//     loadShard(layers) -> Shard.serve(channel)        where layers are
//     loadSharded(shards) -> Model                     where the edge is: tokenizer, embedding, LM head, sampler

import { MAX_LAYERS } from "../../../assembly/layout/gguf.js";
import { BLOCK } from "../../../assembly/layout/kv.js";
import type { LoadOptions, Model, ModelInfo } from "../api/api.js";
import { integer, object } from "../api/check.js";
import { invalidOption } from "../api/errors.js";
import { hexOfHash } from "../api/hex.js";
import type { LayersElsewhere } from "../engine/batch/elsewhere.js";
import { checkSignal, Pace } from "../engine/pace.js";
import { feedModel } from "../load/load.js";
import type { Sha256Stream } from "../load/pieces.js";
import type { ByteSource } from "../load/source.js";
import { loadModel, type Platform } from "../model/model.js";
import { chooseBuild } from "../wasm/builds.js";
import type { Core } from "../wasm/core.js";
import { KernelChoice } from "../wasm/kernel_choice.js";
import { startCore, withThreadsOrOne } from "../wasm/start_core.js";
import type { Connect } from "./connection.js";
import { type Hashed, hashed } from "./hashed.js";
import { checkLayers, checkPartOptions, type ShardedOptions, type ShardOptions } from "./options.js";
import { Pipeline } from "./pipeline.js";
import { Shard } from "./shard.js";

/** What a runtime supplies. */
export interface ShardPlatform<Source> extends Platform {
  open(source: Source, options: LoadOptions): ByteSource | Promise<ByteSource>;
  sha256(): Sha256Stream;
}

const LONGEST_MS = 2 ** 31 - 1; // of a timer

/** loadShard() and loadSharded() of a runtime. */
export function createSharding<Source>(platform: ShardPlatform<Source>) {
  return {
    async loadShard(source: Source, given: ShardOptions): Promise<Shard> {
      const { layers, sha256, ...rest } = object(given, "options") as unknown as ShardOptions;
      const range = checkLayers(layers);
      return loadPart(platform, hashed(platform, source, sha256), range, checkPartOptions(rest));
    },
    async loadSharded(source: Source, shards: readonly Connect[], given: ShardedOptions = {}): Promise<Model> {
      if (!Array.isArray(shards) || shards.length === 0 || shards.some((shard) => typeof shard !== "function"))
        throw invalidOption("shards", shards, "a list of functions that connect, one a shard, in their order");
      const { timeoutMs, patienceMs, sha256: whole, ...rest } = object(given, "options") as ShardedOptions;
      const limits = { vocabulary: 0, contextLength: 0 };
      const times = {
        timeoutMs: integer(1, LONGEST_MS, 60_000)(timeoutMs, "timeoutMs", limits),
        patienceMs: integer(0, LONGEST_MS, 30_000)(patienceMs, "patienceMs", limits),
      };
      const options = checkPartOptions(rest);
      const { open, sha256 } = hashed(platform, source, whole);
      const part = (core: Core) => core.check(core.exports.takePart(1, 0, 0));
      const connect = async (info: ModelInfo): Promise<LayersElsewhere> => {
        const { layers, hidden, contextLength, kvType, sequences } = info;
        const facts = { model: await sha256(), layers, hidden, contextLength, kvType, sequences };
        const pipeline = await Pipeline.connect(shards, facts, times);
        info.cacheLength = pipeline.pages * BLOCK;
        return pipeline;
      };
      return loadModel(open, options, platform, { part, connect });
    },
  };
}

async function loadPart(
  platform: Platform,
  { open, sha256 }: Hashed,
  [first, end]: readonly [number, number],
  options: LoadOptions,
): Promise<Shard> {
  const { signal } = options;
  const choice = chooseBuild(options, platform.threads, platform.probes, platform.builds);
  let started = await startCore(choice, platform, true);
  try {
    const opened = await open(options);
    started = await withThreadsOrOne(started, options, platform);
    const { core, threads } = started;
    core.check(core.exports.takePart(0, first, end));
    const pace = new Pace(platform.macrotask, () => checkSignal(signal));
    const info = await feedModel(core, opened, started.choice, options, pace);
    await threads.ready();
    warmUp(core, info);
    const { layers, hidden, contextLength, kvType, sequences, cacheLength, plan } = info;
    const part = hexOfHash(core.exports.modelHash());
    const facts = { model: await sha256(), part, first, end, layers, hidden, contextLength, kvType, sequences };
    const shown = { ...facts, pages: cacheLength / BLOCK, memory: plan.memory };
    return new Shard(core, shown, threads, new KernelChoice(core, info), platform.macrotask);
  } catch (error) {
    started.threads.stop();
    throw error;
  }
}

/** A row that nobody sees: engines compile what has run, and memory gets its pages when it is touched. */
function warmUp(core: Core, { hidden }: ModelInfo): void {
  const { exports } = core;
  core.words(exports.runs(), 3).set([0, 0, 1]);
  core.check(exports.beginForward(1));
  core.floats(exports.residual(), hidden).fill(1);
  core.counted(exports.forwardLayers(MAX_LAYERS));
  core.check(exports.setLength(0, 0));
}
