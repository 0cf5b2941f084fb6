// Options and loading that all commands share.

import { type Command, Option } from "commander";
import {
  type Build,
  bundledModel,
  type KvType,
  type LoadOptions,
  type LoadProgress,
  load,
  type Model,
  type OffloadedModel,
} from "../../index.js";
import { integer } from "./arguments.js";
import { interruptSignal } from "./output.js";
import { progressBar } from "./progress.js";

export interface ModelFlags {
  model?: string;
  build?: Build;
  threads?: number;
  context?: number;
  kv?: KvType;
  /** MiB. */
  cacheBudget?: number;
  json?: boolean;
}

const MODEL_HELP =
  "path or URL of a GGUF file, hf:OWNER/REPO[@REVISION][/FILE] or a short name (default: the bundled zagreus-nano)";
const BUILDS: Build[] = ["simd", "relaxed", "simd-mt", "relaxed-mt"];

/** Adds -m, --build, --threads, --context, --kv and --json. */
export function withModel(command: Command): Command {
  return command
    .option("-m, --model <model>", MODEL_HELP)
    .addOption(new Option("--build <build>", "build of the core (default: the best that works here)").choices(BUILDS))
    .option("-t, --threads <n>", "threads (default: one for each core of the machine, at most 4)", integer(1))
    .option("--context <tokens>", "positions of the KV cache (default: the model's, at most 4096)", integer(1))
    .addOption(new Option("--kv <type>", "element type of the KV cache (default: int8)").choices(["int8", "f32"]))
    .option("--json", "print one JSON object");
}

/** Adds --cache-budget, for commands that go back and forth between conversations. */
export function withCacheBudget(command: Command): Command {
  const help = "memory for what conversations share with ones before, in MiB (default: 64; 0: none)";
  return command.option("--cache-budget <mib>", help, integer(0));
}

export interface LoadedModel<T = Model> {
  model: T;
  loadMs: number;
  /** Fires on Ctrl-C. */
  signal: AbortSignal;
}

export function loadOptions({ build, threads, context, kv, cacheBudget }: ModelFlags): LoadOptions {
  const budget = cacheBudget === undefined ? {} : { cacheBudget: cacheBudget * 2 ** 20 };
  return { build, threads, contextLength: context, kvType: kv, ...budget };
}

export function loadModel(flags: ModelFlags): Promise<LoadedModel> {
  return withProgress(flags, (options) => load(flags.model ?? bundledModel, options));
}

/** The same in a thread of its own. */
export function loadOffloaded(flags: ModelFlags): Promise<LoadedModel<OffloadedModel>> {
  return withProgress(flags, (options) => load(flags.model ?? bundledModel, { ...options, offload: true }));
}

async function withProgress<T>(
  flags: ModelFlags,
  loadWith: (options: LoadOptions) => Promise<T>,
): Promise<LoadedModel<T>> {
  const signal = interruptSignal();
  const bars = { download: progressBar("downloading"), load: progressBar() };
  let current = bars.download;
  const onProgress = (progress: LoadProgress) => {
    const bar = progress.phase === "download" ? bars.download : bars.load;
    if (bar !== current) current.stop();
    current = bar;
    bar.update?.(progress);
  };
  const begun = performance.now();
  try {
    const model = await loadWith({ ...loadOptions(flags), signal, onProgress });
    return { model, loadMs: performance.now() - begun, signal };
  } finally {
    current.stop();
  }
}
