// Feeds a source to the core: header, plan, weights.

import { INFO_FILE_BYTES, IO_BYTES } from "../../../assembly/layout/abi.js";
import { HEADER_READY } from "../../../assembly/layout/status.js";
import type { LoadOptions, ModelInfo } from "../api/api.js";
import { type ErrorCode, part, ZagreusError } from "../api/errors.js";
import { KV_TYPES } from "../api/names.js";
import { CACHE_BUDGET, SEQUENCES } from "../api/options.js";
import type { Pace } from "../engine/pace.js";
import type { BuildChoice } from "../wasm/builds.js";
import type { Core } from "../wasm/core.js";
import { readInfo } from "./info.js";
import { type ModelMetadata, readMetadata } from "./metadata.js";
import { type ByteSource, readSource } from "./source.js";

/** What is wrong with a file that was cut off on its way, or is another. */
const INCOMPLETE: readonly ErrorCode[] = ["BAD_MAGIC", "TRUNCATED"];

/**
 * Loads the model, or with `headerOnly` stops when the plan is made.
 * @throws ZagreusError ABORTED, SOURCE_FAILED, or what the core finds wrong; the core is ready for another begin() then
 */
export async function feedModel(
  core: Core,
  source: ByteSource,
  choice: BuildChoice,
  options: LoadOptions,
  pace: Pace,
  headerOnly = false,
): Promise<ModelInfo> {
  try {
    return await feed(core, source, choice, options, pace, headerOnly);
  } catch (error) {
    if (error instanceof ZagreusError && INCOMPLETE.includes(error.code)) await source.refused?.();
    throw error;
  }
}

async function feed(
  core: Core,
  source: ByteSource,
  choice: BuildChoice,
  options: LoadOptions,
  pace: Pace,
  headerOnly: boolean,
): Promise<ModelInfo> {
  const { exports } = core;
  const { contextLength = 0, kvType = "int8", memoryBudget = 0, adapters, signal, onProgress } = options;
  const { sequences = SEQUENCES, cacheBudget = CACHE_BUDGET } = options;
  seedHashes(core);
  if (adapters) core.check(exports.reserveAdapters(adapters.slots, adapters.rank!));
  core.check(exports.begin(contextLength, KV_TYPES[kvType], memoryBudget, sequences, cacheBudget));
  let metadata: ModelMetadata | undefined;
  let loadedBytes = 0;
  for await (const chunk of readSource(source, signal)) {
    for (let at = 0; at < chunk.length; at += IO_BYTES) {
      await pace.yield();
      const piece = chunk.subarray(at, at + IO_BYTES);
      core.write(piece);
      if (core.check(exports.feed(piece.length)) === HEADER_READY) {
        metadata = await readMetadata(core, pace);
        await refusePart(metadata);
        while (core.check(exports.plan()) === HEADER_READY) await pace.yield();
        if (headerOnly) return readInfo(core, metadata, choice);
      }
      loadedBytes += piece.length;
    }
    onProgress?.({
      phase: metadata ? "weights" : "header",
      loadedBytes,
      totalBytes: source.size ?? (metadata ? exports.info(INFO_FILE_BYTES) : undefined),
    });
  }
  await pace.yield();
  core.check(exports.end());
  return readInfo(core, metadata as ModelMetadata, choice);
}

/** Whoever made the file cannot know how its vocabulary will be hashed. */
function seedHashes({ exports }: Core): void {
  try {
    const [low, high] = crypto.getRandomValues(new Uint32Array(2)) as Uint32Array & [number, number];
    exports.seedHashes(low, high);
  } catch {
    // Outside of a request, Cloudflare's workers give no random numbers: the hashes are as they are without a secret.
  }
}

/** @throws ZagreusError SOURCE_FAILED for one part of a split file */
async function refusePart({ values }: ModelMetadata): Promise<void> {
  if (!(Number(values["split.count"]) > 1)) return;
  const { partAlone } = await part(import("../gguf/parts.js"));
  throw partAlone(Number(values["split.no"] ?? 0), Number(values["split.count"]));
}
