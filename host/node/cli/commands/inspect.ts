import { Command } from "commander";
import { bundledModel, inspect, type ModelInfo } from "../../index.js";
import { loadOptions, type ModelFlags, withModel } from "../shared/model.js";
import { interruptSignal, print, printJson } from "../shared/output.js";

export function inspectCommand(): Command {
  return withModel(new Command("inspect"))
    .description("show metadata, tensors and the memory plan of a model without loading it")
    .argument("[file]", "as for --model (default: that of --model)")
    .action(run);
}

async function run(file: string | undefined, flags: ModelFlags, command: Command): Promise<void> {
  if (file !== undefined && flags.model !== undefined) command.error("error: give FILE or --model, not both");
  const source = file ?? flags.model ?? bundledModel;
  const info = await inspect(source, { ...loadOptions(flags), signal: interruptSignal() });
  if (flags.json) printJson(info);
  else show(info);
}

function show({ metadata, tensors, plan, ...model }: ModelInfo): void {
  print("model");
  for (const [name, value] of Object.entries(model)) {
    if (name !== "chatTemplate") print(`  ${name}: ${format(value)}`);
  }
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
