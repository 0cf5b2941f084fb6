// Which build of the core runs, and on how many threads.

import type { Build, LoadOptions } from "../api/api.js";
import { invalidOption, ZagreusError } from "../api/errors.js";
import { type Probes, relaxedSimd, requireSimd, sharesMemory } from "./capabilities.js";
import type { ThreadSupport } from "./threads.js";

export interface BuildChoice {
  build: Build;
  threads: number;
}

const BEST_FIRST: readonly Build[] = ["relaxed-mt", "simd-mt", "relaxed", "simd"];

/**
 * The best build that works here, or the wanted one. Threads are a wish: without them everything runs on one.
 * @param builds those that there are
 * @throws ZagreusError UNSUPPORTED_RUNTIME why the wanted build, or the only one, cannot run; INVALID_OPTION
 */
export function chooseBuild(
  { build: wanted, threads }: LoadOptions,
  support: ThreadSupport | undefined,
  probes?: Probes,
  builds = BEST_FIRST,
): BuildChoice {
  requireSimd(probes?.simd);
  const unshared = whyNoThreads(support);
  const count = support && !unshared ? (threads ?? support.defaultCount) : 1;
  const isGood = (build: Build) =>
    builds.includes(build) &&
    (count > 1 || !build.endsWith("-mt")) &&
    (!build.startsWith("relaxed") || relaxedSimd(probes?.relaxed) === "good");
  const build = wanted ?? BEST_FIRST.find(isGood) ?? builds[0]!;
  const unrelaxed = build.startsWith("relaxed") ? whyNoRelaxed(probes) : undefined;
  if (unrelaxed) throw unsupported(build, unrelaxed);
  if (build.endsWith("-mt")) {
    if (unshared) throw unsupported(build, unshared);
    return { build, threads: count };
  }
  if (wanted && threads !== undefined && threads > 1) {
    throw invalidOption("threads", threads, `1 with build "${build}"`);
  }
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
