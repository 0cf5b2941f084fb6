// --lora: adapters of the command line.

import { basename } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import type { AdapterUse, LoadedAdapter, LoadOptions } from "../../../index.js";

/** An adapter of the command line: where it is, what requests call it, and how much of it. */
export interface LoraFlag {
  name: string;
  source: string;
  scale: number;
}

const HELP = "adapter (LoRA), GGUF file or folder of PEFT, multiplied with SCALE; may be repeated, then they add up";
const NAMED_HELP = "adapter (LoRA) that requests name as MODEL:NAME; may be repeated";

/** Adds --lora for texts that all go through the same adapters. */
export function withAdapters(command: Command): Command {
  return command.option("--lora <file[:scale]>", HELP, lora);
}

/** The same where requests choose. */
export function withNamedAdapters(command: Command): Command {
  return command.option("--lora <name=file[:scale]>", NAMED_HELP, lora);
}

/** NAME=FILE:SCALE; the name is that of the file where there is none, the scale 1. */
export function lora(text: string, before: LoraFlag[] = []): LoraFlag[] {
  const [, given, source, scale = "1"] = /^(?:([^=/\\:]+)=)?(.+?)(?::(-?\d+(?:\.\d+)?))?$/s.exec(text) ?? [];
  if (!source) throw new InvalidArgumentError("It must be FILE, FILE:SCALE or NAME=FILE:SCALE.");
  const name = given ?? basename(source.replace(/[/\\]+$/, "")).replace(/\.gguf$/i, "");
  if (before.some((other) => other.name === name)) throw new InvalidArgumentError(`Two adapters are called ${name}.`);
  return [...before, { name, source, scale: Number(scale) }];
}

/** What load() is asked for, so that there is room for them. */
export async function roomFor(
  loras: readonly LoraFlag[] = [],
  signal: AbortSignal,
): Promise<Pick<LoadOptions, "adapters">> {
  if (loras.length === 0) return {};
  const { adapterRank } = await import("../../../adapters.js");
  const { openSource } = await import("../../../source.js");
  const open = (source: string | URL) => openSource(source, { signal });
  const sources = loras.map(({ source }) => source);
  return { adapters: { slots: loras.length, rank: await adapterRank(sources, open, signal) } };
}

/** As options take it. */
export const withoutName = ({ adapter, scale }: AdapterUse): AdapterUse => ({ adapter, scale });

interface Adaptable {
  adapter(source: string, options: { signal: AbortSignal }): Promise<LoadedAdapter>;
}

/** Loads them, in their order. */
export async function loadAdapters(
  model: Adaptable,
  loras: readonly LoraFlag[] = [],
  signal: AbortSignal,
): Promise<(AdapterUse & { name: string })[]> {
  const loaded: (AdapterUse & { name: string })[] = [];
  for (const { name, source, scale } of loras) {
    loaded.push({ name, adapter: await model.adapter(source, { signal }), scale });
  }
  return loaded;
}
