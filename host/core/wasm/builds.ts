// Which build of the core runs, and on how many threads.

import type { Build, LoadOptions } from "../api/api.js";
import { invalidOption, ZagreusError } from "../api/errors.js";
import { type Probes, relaxedSimd, requireSimd, sharesMemory } from "./capabilities.js";
import type { ThreadSupport } from "./threads.js";

export interface BuildChoice {
  build: Build;
  threads: number;
}

/**
 * The best build that works here, or the wanted one. Threads are a wish: without them everything runs on one.
 * @throws ZagreusError UNSUPPORTED_RUNTIME why the wanted build cannot run, INVALID_OPTION
 */
export function chooseBuild(
  { build, threads }: LoadOptions,
  support: ThreadSupport | undefined,
  probes?: Probes,
): BuildChoice {
  requireSimd(probes?.simd);
  const unshared = whyNoThreads(support);
  const count = support && !unshared ? (threads ?? support.defaultCount) : 1;
  if (build === undefined) {
    const simd = relaxedSimd(probes?.relaxed) === "good" ? "relaxed" : "simd";
    return count > 1 ? { build: `${simd}-mt`, threads: count } : { build: simd, threads: 1 };
  }
  const unrelaxed = build.startsWith("relaxed") ? whyNoRelaxed(probes) : undefined;
  if (unrelaxed) throw unsupported(build, unrelaxed);
  if (build.endsWith("-mt")) {
    if (unshared) throw unsupported(build, unshared);
    return { build, threads: count };
  }
  if (threads !== undefined && threads > 1) throw invalidOption("threads", threads, `1 with build "${build}"`);
  return { build, threads: 1 };
}

/** The same arithmetic on one thread. */
export function withoutThreads({ build }: BuildChoice): BuildChoice {
  return { build: build.startsWith("relaxed") ? "relaxed" : "simd", threads: 1 };
}

function whyNoRelaxed(probes: Probes | undefined): string | undefined {
  switch (relaxedSimd(probes?.relaxed)) {
    case "absent":
      return "this engine lacks relaxed SIMD";
    case "wrong":
      return "this engine computes relaxed SIMD dots wrongly";
    default:
      return undefined;
  }
}

function whyNoThreads(support: ThreadSupport | undefined): string | undefined {
  if (!support) return "there are no threads in this runtime";
  return sharesMemory() ? undefined : "this engine does not share memory between threads here";
}

function unsupported(build: Build, reason: string): ZagreusError {
  return new ZagreusError("UNSUPPORTED_RUNTIME", `build "${build}" cannot run: ${reason}`, {
    field: "build",
    value: build,
  });
}
