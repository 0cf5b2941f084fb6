// `zagreus inspect`: metadata, tensors and the memory plan of a file, read from its header alone.

import { Command } from "commander";
import { inspect, type ModelInfo } from "../../index.js";
import { loadOptions, type ModelFlags, openModel, withModel } from "../shared/model.js";
import { interruptSignal, print, printJson } from "../shared/output.js";
import { phaseBar } from "../shared/progress.js";
import { samplingLines } from "../shared/sampling_defaults.js";
import { vocabularyLines } from "../shared/vocabulary.js";

export function inspectCommand(): Command {
  return withModel(new Command("inspect"))
    .description("show metadata, tensors and the memory plan of a model without loading it")
    .argument("[file]", "as for --model (default: that of --model)")
    .addHelpText(
      "after",
      "\nExamples:\n  zagreus inspect model.gguf\n  zagreus inspect -m nesso-instruct --context 32768 --json",
    )
    .action(run);
}

async function run(file: string | undefined, flags: ModelFlags, command: Command): Promise<void> {
  if (file !== undefined && flags.model !== undefined) command.error("error: give FILE or --model, not both");
  const signal = interruptSignal();
  const bar = phaseBar();
  const source = await openModel({ ...flags, model: file ?? flags.model }, { signal, onProgress: bar.update });
  bar.stop();
  const info = await inspect(source, { ...loadOptions(flags), signal });
  if (flags.json) printJson(info);
  else show(info);
}

function show(info: ModelInfo): void {
  const { metadata, tensors, plan, chatTemplate, namedTemplates, tokenizer, sampling, ...model } = info;
  print("model");
  for (const [name, value] of Object.entries(model)) print(`  ${name}: ${format(value)}`);
  print("tokenizer");
  for (const [name, value] of vocabularyLines(info)) print(`  ${name}: ${value}`);
  print("sampling");
  for (const [name, value] of samplingLines(sampling)) print(`  ${name}: ${value}`);
  print("metadata");
  for (const [key, value] of Object.entries(metadata)) print(`  ${key}: ${format(value)}`);
  print("tensors");
  for (const { name, type, dimensions, bytes } of tensors) {
    print(`  ${name}: ${type} ${dimensions.join(" x ")}, ${bytes.toLocaleString("en-US")} bytes`);
  }
  print("plan, in bytes");
  for (const [section, bytes] of Object.entries(plan)) print(`  ${section}: ${bytes.toLocaleString("en-US")}`);
}

function format(value: unknown): string {
  if (typeof value !== "object" || value === null) return typeof value === "string" ? value : String(value);
  if ("count" in value && "type" in value) return `${value.type} of ${value.count}`;
  return JSON.stringify(value);
}
