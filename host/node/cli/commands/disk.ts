// list, show and rm: the models that are here.

import { Command } from "commander";
import {
  hubCached,
  hubPath,
  hubRemove,
  isHubId,
  megabytes,
  millions,
  parseHubId,
  type StoredModel,
} from "../../hub.js";
import { bundledModel, inspect, type ModelInfo } from "../../index.js";
import { styled } from "../shared/colour.js";
import { BUNDLED, FAMILY, idOf } from "../shared/family.js";
import { print, printJson } from "../shared/output.js";
import { samplingLines } from "../shared/sampling_defaults.js";
import { vocabularyLines } from "../shared/vocabulary.js";

interface DiskFlags {
  json?: boolean;
}

const KIND_TEXTS: Record<StoredModel["kind"], string> = {
  gguf: "GGUF file of the hub",
  made: "made of the hub's safetensors",
  safetensors: "safetensors, for zagreus quantize",
};

export function listCommand(): Command {
  return new Command("list")
    .description("show the models that are on this machine, and those that a short name gets")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExamples:\n  zagreus list")
    .action(async ({ json }: DiskFlags) => {
      const models = (await hubCached()).map((model) => ({ id: idOf(model.repository), ...model }));
      if (json) return printJson({ models });
      print("On this machine:");
      line(BUNDLED, "comes with the package: shows that all works, and knows nothing", "");
      for (const { id, kind, bytes, type } of models)
        line(id, [type, KIND_TEXTS[kind]].filter(Boolean).join(", "), megabytes(bytes));
      const missing = FAMILY.filter(({ repository }) => !models.some((model) => model.repository === repository));
      if (missing.length > 0) print("On the hub:");
      for (const { name, languages, purpose, bytes } of missing) {
        line(name, `${languages}: ${purpose}`, `${megabytes(bytes.safetensors)} to download`);
      }
    });
}

export function rmCommand(): Command {
  return new Command("rm")
    .description("remove a model of the hub from this machine, also for other tools that use the hub's cache")
    .argument("<model>", "hf:OWNER/REPO or a short name")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExamples:\n  zagreus rm nesso-instruct")
    .action(async (model: string, { json }: DiskFlags) => {
      const removed = await hubRemove(model);
      if (json) printJson(removed);
      else print(`${removed.repository}: ${megabytes(removed.bytes)} are free again`);
    });
}

export function showCommand(): Command {
  return new Command("show")
    .description("show what a model is, on one screen")
    .argument("[model]", "as for --model of other commands, but nothing is downloaded (default: the bundled one)")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExamples:\n  zagreus show nesso-instruct\n  zagreus show model.gguf")
    .action(show);
}

async function show(model: string = BUNDLED, { json }: DiskFlags): Promise<void> {
  const source = model === BUNDLED ? bundledModel : isHubId(model) ? await hubPath(model) : model;
  const member = FAMILY.find(({ name }) => name === model);
  if (source === undefined) {
    const about = member ? `${member.languages}: ${member.purpose}; ` : "";
    throw new Error(`${model} is not on this machine (${about}-m ${model} gets it)`);
  }
  const info = await inspect(source);
  const path = source instanceof URL ? source.pathname : source;
  const id = isHubId(model) ? parseHubId(model).repository : undefined;
  if (json) return printJson({ model, path, repository: id, ...member, ...summary(info) });
  print("", styled("bold", info.name ?? model));
  const rows: [string, string][] = [
    ["file", path],
    ...(id ? [["hub", id] as [string, string]] : []),
    ...(member ? [["for", `${member.languages}: ${member.purpose}`] as [string, string]] : []),
    ["weights", `${info.quantization}, ${millions(info.parameters)} million, ${megabytes(info.fileBytes)}`],
    ["shape", `${info.layers} layers of ${info.hidden}, ${info.heads} heads, ${info.kvHeads} of keys and values`],
    ["context", `${info.trainedContext} tokens, ${info.contextLength} by default`],
    [
      "memory",
      `${megabytes(info.plan.memory)} with that context (${megabytes(info.plan.kvCache)} of it for keys and values)`,
    ],
    ["chat", info.chatTemplate === undefined ? "no template in the file" : "by the file's template"],
    ...samplingLines(info.sampling),
    ...vocabularyLines(info),
  ];
  for (const [name, value] of rows) print(`  ${name.padEnd(9)} ${value}`);
}

function summary({ name, plan, ...info }: ModelInfo) {
  const { quantization, parameters, fileBytes, trainedContext, contextLength, sampling } = info;
  return {
    title: name,
    quantization,
    parameters,
    fileBytes,
    trainedContext,
    contextLength,
    memory: plan.memory,
    sampling,
  };
}

function line(id: string, about: string, size: string): void {
  print(` ${about.padEnd(64)} ${size}`.trimEnd(), `  ${styled("bold", id.padEnd(20))}`);
}
