// A core and its threads, or one thread where others cannot start.

import type { Build, LoadOptions } from "../api/api.js";
import type { ZagreusError } from "../api/errors.js";
import { type BuildChoice, withoutThreads } from "./builds.js";
import { Core } from "./core.js";
import { ComputeThreads, type ThreadSupport } from "./threads.js";

/** What a runtime supplies to run a core. */
export interface CorePlatform {
  /** The compiled core. */
  module(build: Build): Promise<WebAssembly.Module>;
  /** The builds that it has. Default: all. */
  builds?: readonly Build[] | undefined;
  /** Absent where there are no threads. */
  threads?: ThreadSupport;
}

export interface StartedCore {
  core: Core;
  threads: ComputeThreads;
  choice: BuildChoice;
}

/**
 * A core whose threads begin to start, unless it has nothing to compute.
 * @throws ZagreusError OUT_OF_MEMORY, SOURCE_FAILED
 */
export async function startCore(choice: BuildChoice, platform: CorePlatform, computes: boolean): Promise<StartedCore> {
  const module = await platform.module(choice.build);
  const core = await Core.create(module, choice.build.endsWith("-mt"));
  const threads = new ComputeThreads(core, choice.threads, platform.threads);
  if (computes) threads.start(module);
  return { core, threads, choice };
}

/**
 * The core, with all its threads or, where one cannot start, another on one thread: bundlers, policies and permissions forbid
 * what the engine could do, and say so only when it is tried. A core whose build was asked for is passed on as it is.
 * @throws ZagreusError OUT_OF_MEMORY, SOURCE_FAILED
 */
export async function withThreadsOrOne(
  started: StartedCore,
  { build }: LoadOptions,
  platform: CorePlatform,
): Promise<StartedCore> {
  if (build !== undefined) return started;
  try {
    await started.threads.ready();
    return started;
  } catch (error) {
    started.threads.stop();
    console.warn(`zagreus-edge runs on one thread: ${(error as ZagreusError).message}`);
    return startCore(withoutThreads(started.choice), platform, true);
  }
}
