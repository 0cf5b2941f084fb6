// Makes the launcher's C headers from the sources of the TypeScript host, so that nothing is written twice.

import { Command, Option } from "commander";
import * as abi from "../../assembly/layout/abi.js";
import * as gguf from "../../assembly/layout/gguf.js";
import * as kv from "../../assembly/layout/kv.js";
import * as status from "../../assembly/layout/status.js";
import { type Range, VOCABULARY } from "../core/api/check.js";
import { MESSAGES } from "../core/api/messages.js";
import {
  END_KEYS,
  END_TOKENS,
  KV_TYPES,
  MAX_MORE_ENDS,
  MORE_ENDS_KEY,
  TENSOR_TYPES,
  tensorTypeName,
  VALUE_TYPES,
  valueTypeName,
} from "../core/api/names.js";
import { GENERATE } from "../core/api/options.js";
import { NAME_SIZE, PRESETS, type SamplingPreset, squeezed } from "../core/chat/presets.js";
import { NAME_KEYS } from "../core/chat/templates.js";
import { completeCommand } from "../node/cli/commands/complete.js";
import { logitsCommand } from "../node/cli/commands/logits.js";
import { tokenizeCommand } from "../node/cli/commands/tokenize.js";
import { verifyCommand } from "../node/cli/commands/verify.js";
import { withModel } from "../node/cli/shared/model.js";
import { withSampling } from "../node/cli/shared/sampling.js";
import { optionIds } from "./contract/contract.js";

export { contractHeader, FUNCTIONS } from "./contract/contract.js";

/** Options of the Node command that make no sense here. The launcher does not compile until it knows all others. */
const NODE_ONLY = [
  ...["--build", "--threads", "--type", "--calibrate", "--keep-safetensors"],
  ...["--frequency-penalty", "--presence-penalty", "--dry-multiplier", "--dry-base", "--dry-allowed-length"],
  ...["--dry-penalty-last-n", "--dry-sequence-breaker"],
  ...[
    "--prompt-lookup",
    "--json-schema",
    "--grammar",
    "--verbose",
    "--loop-stop",
    "--no-loop-stop",
    "--receipt",
    "--lora",
  ],
];

/** A WebAssembly function type: "i32", "i64" or "f64" for each parameter and result. */
export interface Export {
  name: string;
  parameters: string[];
  result: string | undefined;
}

const C_TYPES: Record<string, string> = { i32: "int32_t", i64: "uint64_t", f64: "double" };

/** A conversation, of which the Node command's has more. */
function chatCommand(): Command {
  const [preset, template] = ["the model's preset", "what `zagreus template` made of the model's chat template"];
  const command = withModel(new Command("chat"))
    .description("talk with a model; each line of standard input is a message")
    .option("--system <text>", "system message")
    .requiredOption("--template <file>", template);
  return withSampling(command, { temp: preset, penalty: preset, ngram: preset, loopStop: preset });
}

/** The commands that zagreus.wasm has, with its own options. */
export function wasiCommands(): Command[] {
  return [completeCommand(), chatCommand(), tokenizeCommand(), logitsCommand(), verifyCommand()].map((command) => {
    const options = command.options.filter(({ long }) => !NODE_ONLY.includes(long!));
    const model = options.find(({ long }) => long === "--model")!.makeOptionMandatory();
    model.description = "path of a GGUF file, - for standard input";
    options.push(new Option("--memory-budget <bytes>", "linear memory at most (default: no limit)"));
    Object.assign(command, { options }); // read-only in its types
    return command;
  });
}

/** core.h: what the core exports, as the launcher imports it. */
export function coreHeader(exports: Export[]): string {
  const lines = exports.map(({ name, parameters, result }) => {
    const types = parameters.map((type) => C_TYPES[type]).join(", ") || "void";
    const declaration = `${result ? C_TYPES[result] : "void"} core_${name}(${types});`;
    return `__attribute__((import_module("core"), import_name("${name}"))) ${declaration}`;
  });
  return ["#pragma once", "#include <stdint.h>", ...lines, ""].join("\n");
}

/** layout.h: the constants of assembly/layout, and the ranges of generation options. */
export function layoutHeader(commands: readonly Command[]): string {
  const numbers = ([, value]: [string, unknown]) => typeof value === "number";
  const constants = [abi, gguf, kv, status]
    .flatMap((module) => Object.entries<number | string>(module))
    .filter(numbers);
  const ranges = Object.entries<object>(GENERATE).flatMap(([field, check]) => {
    if (!("range" in check) || NODE_ONLY.includes(`--${snake(field).replaceAll("_", "-")}`)) return [];
    const { min, max, default: initial, isInteger } = check.range as Range;
    return `  X(${snake(field)}, "${field}", ${min}, ${max === VOCABULARY ? "VOCABULARY" : max}, ${initial}, ${isInteger})`;
  });
  return [
    "#pragma once",
    `enum {\n${constants.map(([name, value]) => `  ${name} = ${value},`).join("\n")}\n};`,
    `enum { MAX_MORE_ENDS = ${MAX_MORE_ENDS} };`,
    `enum { ${optionIds().join(", ")} };`,
    `enum { MAX_ENDS = ${END_KEYS.length + MAX_MORE_ENDS + END_TOKENS.length} };`,
    "/** X(name, field, min, max, default, whether it is an integer) */",
    `#define RANGES(X) \\\n${ranges.join(" \\\n")}`,
    `enum command_id { ${commands.map((command) => `COMMAND_${upper(command.name())}`).join(", ")} };`,
    "",
  ].join("\n");
}

/** tables.h: options and help of the commands, messages, names. */
export function tablesHeader(commands: readonly Command[], version: string): string {
  const program = new Command("zagreus")
    .description("Run Zagreus and Nesso language models without a JavaScript engine.")
    .version(version)
    .helpCommand(false);
  for (const command of commands) program.addCommand(command);
  const options = commands.flatMap((command) => command.options);
  const names = [...new Set(options.map(optionId))];
  return [
    "#pragma once",
    '#include "zagreus.h"',
    define("VERSION", version),
    define("HELP", program.helpInformation()),
    `enum option_id { ${names.join(", ")}, OPTION_COUNT };`,
    ...options.filter(({ defaultValue }) => typeof defaultValue === "number").map(defaultOf),
    "struct option { enum option_id id; const char *brief, *name, *flags, *allowed; bool has_value, required; };",
    "struct command {",
    "  enum command_id id; const char *name, *help; int positional; const struct option *options; int option_count;",
    "};",
    ...commands.map((command) => table(`struct option ${command.name()}_options`, command.options.map(optionRow))),
    table("struct command COMMANDS", commands.map(commandRow)),
    ...messages(),
    table("char *const TENSOR_TYPES", sparse(Object.entries(TENSOR_TYPES))),
    table("char *const KV_TYPES", sparse(Object.entries(KV_TYPES).map(([name, type]) => [String(type), name]))),
    table("char *const VALUE_TYPES", VALUE_TYPES.map(text)),
    define("UNKNOWN_TENSOR_TYPE", tensorTypeName(-1).replace("-1", "")),
    define("UNKNOWN_VALUE_TYPE", valueTypeName(-1).replace("-1", "")),
    define("MORE_ENDS_KEY", MORE_ENDS_KEY),
    table("char *const END_KEYS", END_KEYS.map(text)),
    table("char *const END_TOKENS", END_TOKENS.map(text)),
    table("char *const NAME_KEYS", ["general.name", ...NAME_KEYS].map(text)),
    define("NAME_SIZE", NAME_SIZE),
    "struct makers { const char *name; double penalty; };",
    table("struct makers MAKERS", PRESETS.flatMap(makersRows)),
    "",
  ].join("\n");
}

/** What the launcher knows of a preset: its penalty, which is all in which texts differ from the defaults. */
function makersRows({ names, text: sampling = {} }: SamplingPreset): string[] {
  const { temperature = GENERATE.temperature.range.default, repetitionPenalty = 1, ...more } = sampling;
  if (temperature !== GENERATE.temperature.range.default || Object.keys(more).length > 0) {
    throw new Error(`${names[0]}: the launcher knows no such defaults`);
  }
  return names.map((name) => `{${text(squeezed(name))}, ${repetitionPenalty}}`);
}

/** The templates of MESSAGES with one byte in place of {field}, two in place of {value:format}. */
function messages(): string[] {
  const statusOf = new Map<string, number>(Object.entries(status));
  const inserts = ["field", "value", "expected"];
  const formats = ["count"];
  const templates = Object.entries(MESSAGES).map(([code, template]) => {
    const compiled = template.replace(/\{(\w+)(?::(\w+))?\}/g, (_, name: string, format = "count") => {
      if (!formats.includes(format)) formats.push(format);
      const insert = String.fromCharCode(1 + inserts.indexOf(name));
      return name === "field" ? insert : insert + String.fromCharCode(1 + formats.indexOf(format));
    });
    return [String(statusOf.get(code)), compiled] as [string, string];
  });
  return [
    `enum { ${inserts.map((name, i) => `INSERT_${upper(name)} = ${1 + i}`).join(", ")} };`,
    `enum number_format { ${formats.map((name, i) => `FORMAT_${upper(name)} = ${1 + i}`).join(", ")} };`,
    table("char *const MESSAGES", sparse(templates)),
  ];
}

function optionRow(option: Option): string {
  const { short, long, flags, argChoices, required, mandatory } = option;
  const allowed = argChoices ? text(`Allowed choices are ${argChoices.join(", ")}.`) : "0";
  const names = [short ? text(short) : "0", text(long!), text(flags)];
  return `{${[optionId(option), ...names, allowed, required, mandatory].join(", ")}}`;
}

function commandRow(command: Command): string {
  const name = command.name();
  const options = `${name}_options, LENGTH(${name}_options)`;
  const help = text(command.helpInformation());
  return `{COMMAND_${upper(name)}, ${text(name)}, ${help}, ${command.registeredArguments.length}, ${options}}`;
}

function defaultOf({ long, defaultValue }: Option): string {
  return `enum { ${upper(long!.slice(2))}_DEFAULT = ${defaultValue} };`;
}

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const upper = (name: string) => name.replaceAll("-", "_").toUpperCase();
const optionId = ({ long }: Option) => `OPTION_${upper(long!.slice(2))}`;
const table = (type: string, rows: readonly string[]) => `static const ${type}[] = {\n  ${rows.join(",\n  ")},\n};`;
const sparse = (entries: readonly [string, string][]) => entries.map(([index, value]) => `[${index}] = ${text(value)}`);
const define = (name: string, value: string) => `#define ${name} ${text(value)}`;

/** A C string literal. */
function text(value: string): string {
  const quote = (character: string) => {
    if (character === '"' || character === "\\") return `\\${character}`;
    return [...Buffer.from(character)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
  };
  return `"${value.replace(/["\\]|[^ -~]/gu, quote)}"`;
}
