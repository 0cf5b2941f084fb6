// Options and loading that all commands share.

import { type Command, Option } from "commander";
import { hubGguf, isHubId } from "../../hub.js";
import {
  type AdapterUse,
  type Build,
  bundledModel,
  type KvType,
  type LoadOptions,
  load,
  type Model,
  type OffloadedModel,
  type QuantizeOnLoad,
  type Source,
} from "../../index.js";
import { type LoraFlag, loadAdapters, roomFor } from "./adapters/lora.js";
import { choice, integer, list, once } from "./arguments.js";
import { BUNDLED } from "./family.js";
import { interruptSignal, notice } from "./output.js";
import { phaseBar } from "./progress.js";

export interface ModelFlags {
  model?: string;
  type?: QuantizeOnLoad["type"];
  calibrate?: boolean;
  keepSafetensors?: boolean;
  build?: Build;
  threads?: number;
  context?: number;
  kv?: KvType;
  /** MiB. */
  cacheBudget?: number;
  sequences?: number;
  /** Whether, and where, what prompts begin with is kept on the disk. */
  prompts?: LoadOptions["promptCache"];
  json?: boolean;
  /** Of commands that have --lora. */
  lora?: LoraFlag[];
}

const MODEL_HELP = "path or URL of a GGUF file, hf:OWNER/REPO[@REVISION][/FILE] or a short name";
const NANO = "the bundled zagreus-nano";
const BUILDS: Build[] = ["simd", "relaxed", "simd-mt", "relaxed-mt"];
export const KV_TYPES: readonly KvType[] = ["int8", "int4", "f16", "f32"];

/** Adds -m, --build, --threads, --context, --kv, --json, and how safetensors become a model. @param otherwise what is taken without -m */
export function withModel(command: Command, otherwise = NANO): Command {
  return withLoading(command.option("-m, --model <model>", `${MODEL_HELP} (default: ${otherwise})`, once));
}

/** The same where -m may be given several times, and name its models. */
export function withModels(command: Command): Command {
  const help = `${MODEL_HELP} (default: ${NANO}); NAME=MODEL names it; may be repeated, then each is loaded when it is first wanted`;
  return withLoading(command.option("-m, --model <model>", help, list));
}

function withLoading(command: Command): Command {
  return command
    .addOption(choice("--type <type>", "what a model with safetensors only becomes (default: q4_0)", ["q4_0", "q8_0"]))
    .option("--calibrate", "choose its int4 by what a text needs: better, but hours for 0.4B")
    .option("--keep-safetensors", "keep in the cache what was downloaded for that")
    .addOption(new Option("--build <build>", "build of the core (default: the best that works here)").choices(BUILDS))
    .option("-t, --threads <n>", "threads (default: one for each core of the machine, at most 4)", integer(1))
    .option("--context <tokens>", "positions of the KV cache (default: the model's, at most 4096)", integer(1))
    .addOption(new Option("--kv <type>", "element type of the KV cache (default: int8)").choices(KV_TYPES))
    .option("--json", "print one JSON object");
}

/** Adds --cache-budget, for commands that go back and forth between conversations. */
export function withCacheBudget(command: Command): Command {
  const help =
    "MiB of KV cache besides one context, for texts that run at once and what earlier ones left (default: 64)";
  return command.option("--cache-budget <mib>", help, integer(0));
}

export interface CommandModel<T = Model> {
  model: T;
  /** Those of --lora, by their names; undefined for none. */
  adapters: ({ name: string } & AdapterUse)[] | undefined;
  loadMs: number;
  /** Fires on Ctrl-C. */
  signal: AbortSignal;
}

/** The options of load() that the command line gives. */
export function loadOptions({ build, threads, context, kv, cacheBudget, sequences, prompts }: ModelFlags): LoadOptions {
  const budget = cacheBudget === undefined ? {} : { cacheBudget: cacheBudget * 2 ** 20 };
  return { build, threads, contextLength: context, kvType: kv, sequences, promptCache: prompts, ...budget };
}

/** Loads the model of the command line, with a progress bar at a terminal. */
export function loadModel(flags: ModelFlags): Promise<CommandModel> {
  return withProgress(flags, load);
}

/** The same in a thread of its own. @param memoryBudget bytes */
export function loadOffloaded(flags: ModelFlags, memoryBudget?: number): Promise<CommandModel<OffloadedModel>> {
  return withProgress(flags, (source, options) => load(source, { ...options, memoryBudget, offload: true }));
}

/** What load() takes for -m. A model of the hub is downloaded, or made, and it is said what happens. */
export async function openModel(
  flags: ModelFlags,
  options: Pick<LoadOptions, "signal" | "onProgress"> = {},
): Promise<Source> {
  const { model = BUNDLED, type, calibrate, keepSafetensors } = flags;
  if (model === BUNDLED) return bundledModel;
  if (!isHubId(model)) return model;
  const quantize = { type, calibrate, keepSource: keepSafetensors };
  return hubGguf(model, { ...options, quantize, onNotice: notice });
}

async function withProgress<T extends Model | OffloadedModel>(
  flags: ModelFlags,
  loadWith: (source: Source, options: LoadOptions) => Promise<T>,
): Promise<CommandModel<T>> {
  const signal = interruptSignal();
  const bar = phaseBar();
  try {
    const source = await openModel(flags, { signal, onProgress: bar.update });
    const begun = performance.now();
    const room = await roomFor(flags.lora, signal);
    const model = await loadWith(source, { ...loadOptions(flags), ...room, signal, onProgress: bar.update });
    const adapters = flags.lora && (await loadAdapters(model, flags.lora, signal));
    return { model, adapters, loadMs: performance.now() - begun, signal };
  } finally {
    bar.stop();
  }
}
