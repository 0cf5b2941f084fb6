// The models of `zagreus serve` and `zagreus batch`, and what requests call them.

import { type Command, Option } from "commander";
import { MAX_SEQUENCES } from "../../../../assembly/layout/abi.js";
import { ZagreusError } from "../../index.js";
import { withNamedAdapters, withoutName } from "../shared/adapters/lora.js";
import { integer } from "../shared/arguments.js";
import { loadOffloaded, type ModelFlags, withCacheBudget, withModels } from "../shared/model.js";
import { interruptSignal } from "../shared/output.js";
import { lazyModels, memoryOf, type NamedModel, nameOf, type OnLoad, parseNamed } from "./models.js";

export interface ServedFlags extends Omit<ModelFlags, "model"> {
  model?: string[];
  memory?: number;
  name?: string;
  alias?: string;
}

/** Adds -m, which may be repeated, what comes with it, and what requests call the models. */
export function withServedModels(command: Command): Command {
  return withNamedAdapters(withCacheBudget(withModels(command)))
    .option(
      "--memory <mib>",
      "memory for models: of several the one used longest ago gives way (default: half of the machine's)",
      integer(1),
    )
    .option("--name <name>", "what requests call the model (default: its own name, or if that has spaces its file's)")
    .addOption(new Option("--alias <name>", "the same, as llama.cpp calls it").conflicts("name"))
    .option("--sequences <n>", "requests that run at once, 1 to 16 (default: 16)", integer(1, MAX_SEQUENCES));
}

/** One model is loaded now, several are when they are wanted. @param onLoad told of each model that was loaded */
export async function modelsOf(
  { model: given = [], name: asked, alias, memory, ...flags }: ServedFlags,
  onLoad: OnLoad = async () => {},
) {
  const [only, ...others] = given.map(parseNamed);
  const name = asked ?? alias;
  if (only && others.length > 0) {
    if (name !== undefined) {
      throw new ZagreusError("INVALID_OPTION", "--name is for one model; give each its own as -m NAME=MODEL");
    }
    if (flags.lora) throw new ZagreusError("INVALID_OPTION", "--lora is for one model");
    const models = await lazyModels([only, ...others], flags, onLoad);
    const names = Object.keys(models);
    return { names, models, adapters: {}, memory: memoryOf(memory), signal: interruptSignal(), close() {} };
  }
  const budget = memory === undefined ? undefined : memoryOf(memory);
  const { model, adapters, signal } = await loadOffloaded({ ...flags, model: only?.model }, budget);
  const called = name ?? only?.name ?? typedName(model.info.name, only);
  await onLoad(called, model);
  const lists = adapters?.map((use) => [`${called}:${use.name}`, [withoutName(use)]] as const) ?? [];
  const names = [called, ...lists.map(([name]) => name)];
  const close = () => model.close();
  return {
    names,
    models: { [called]: model },
    adapters: Object.fromEntries(lists),
    memory: undefined,
    signal,
    close,
  };
}

/** A name that people can type: the model's own, or if that has spaces its file's or repository's. */
function typedName(own: string | undefined, given: NamedModel | undefined): string {
  if (own && /^\S+$/.test(own)) return own;
  return given ? nameOf(given).replace(/\s+/g, "-") : "default";
}
