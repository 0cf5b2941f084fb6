// Options of create() and availability(), checked in the order of their names as Web IDL does it.

import type { Tool } from "../../api/api.js";
import type { CreateMonitor, LanguageModelSamplingMode, LanguageModelTool } from "../api/types.js";
import { domError } from "../web/errors.js";
import { convertMessage, oneOf, sequence, TYPES, toolName, type Written } from "./messages.js";

export const SAMPLING_MODES: readonly string[] = [
  "most-predictable",
  "predictable",
  "slightly-predictable",
  "balanced",
  "slightly-creative",
  "creative",
  "most-creative",
] satisfies LanguageModelSamplingMode[];

/** What temperature and topK may be, and are for extensions that say nothing: as Chrome has them. */
export const PARAMS = { defaultTopK: 3, maxTopK: 128, defaultTemperature: 1, maxTemperature: 2 };

const INPUTS = ["text", "tool-call", "tool-response"];
const OUTPUTS = ["text", "tool-call"];
/** Tags that are no language. */
const NO_LANGUAGES = ["und", "unk", "mul"];

/** A tool as the engine knows it, and what runs it. */
export interface DeclaredTool extends Tool {
  execute: LanguageModelTool["execute"];
}

interface Expected {
  type: string;
  languages: string[];
}

export interface CoreOptions {
  /** Null where topK and temperature decide. */
  samplingMode: LanguageModelSamplingMode | null;
  topK: number | undefined;
  temperature: number | undefined;
  inputs: Expected[];
  outputs: Expected[];
  tools: DeclaredTool[];
}

export interface CreateOptions extends CoreOptions {
  signal: AbortSignal | undefined;
  monitor: ((monitor: CreateMonitor) => void) | undefined;
  initialPrompts: Written[];
}

/** A dictionary. @throws TypeError */
export function dictionary(value: unknown): Record<string, unknown> {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" && typeof value !== "function") throw new TypeError("options must be an object");
  return value as Record<string, unknown>;
}

/** @throws TypeError | RangeError | DOMException NotSupportedError */
export function convertCoreOptions(options: unknown, hasParams: boolean): CoreOptions {
  const given = dictionary(options);
  const inputs = expectedOf(given.expectedInputs);
  const outputs = expectedOf(given.expectedOutputs);
  const mode = given.samplingMode === undefined ? undefined : oneOf(SAMPLING_MODES, given.samplingMode, "samplingMode");
  const params = hasParams ? samplingParams(given, mode) : undefined;
  const tools = toolsOf(given.tools);
  if (tools.length > 0 && !outputs.some(({ type }) => type === "tool-call")) {
    throw new TypeError('tools need { type: "tool-call" } among expectedOutputs');
  }
  return {
    samplingMode: params ? null : ((mode as LanguageModelSamplingMode | undefined) ?? "balanced"),
    topK: params?.topK,
    temperature: params?.temperature,
    inputs,
    outputs,
    tools,
  };
}

/** @throws as convertCoreOptions() */
export function convertCreateOptions(options: unknown, hasParams: boolean): CreateOptions {
  const { initialPrompts, monitor, signal } = dictionary(options);
  if (monitor !== undefined && typeof monitor !== "function") throw new TypeError("monitor must be a function");
  return {
    ...convertCoreOptions(options, hasParams),
    initialPrompts: initialPrompts === undefined ? [] : list(initialPrompts, "initialPrompts").map(convertMessage),
    monitor: monitor as CreateOptions["monitor"],
    signal: signalOf(signal),
  };
}

/** @throws TypeError */
export function signalOf(value: unknown): AbortSignal | undefined {
  if (value === undefined || value instanceof AbortSignal) return value;
  throw new TypeError("signal must be an AbortSignal");
}

function list(value: unknown, field: string): unknown[] {
  const items = sequence(value);
  if (!items) throw new TypeError(`${field} must be a list`);
  return items;
}

function expectedOf(value: unknown): Expected[] {
  if (value === undefined) return [];
  return list(value, "expectedInputs and expectedOutputs").map((item) => {
    const { languages, type } = dictionary(item);
    const tags = languages === undefined ? [] : list(languages, "languages").map((tag) => `${tag}`);
    return { languages: Intl.getCanonicalLocales(tags), type: oneOf(TYPES, type, "type") };
  });
}

/** Both, neither, or an error; what is too much is the most there is. */
function samplingParams({ topK, temperature }: Record<string, unknown>, mode: string | undefined) {
  if (topK === undefined && temperature === undefined) return undefined;
  if (mode !== undefined) throw new TypeError("samplingMode cannot be given beside topK and temperature");
  if (topK === undefined || temperature === undefined) {
    throw domError("NotSupportedError", "topK and temperature must both be given, or neither");
  }
  const [k, t] = [Number(topK), Number(temperature)];
  if (!(k >= 1)) throw new RangeError(`topK is ${topK}, must be at least 1`);
  if (!(t >= 0)) throw new RangeError(`temperature is ${temperature}, must be at least 0`);
  return { topK: Math.min(Math.floor(k), PARAMS.maxTopK), temperature: Math.min(t, PARAMS.maxTemperature) };
}

function toolsOf(value: unknown): DeclaredTool[] {
  if (value === undefined) return [];
  const tools = list(value, "tools").map(toolOf);
  const names = new Set(tools.map((tool) => tool.function.name));
  if (names.size < tools.length) throw new TypeError("two tools have the same name");
  for (const name of names) toolName(name);
  return tools;
}

function toolOf(value: unknown): DeclaredTool {
  const { description, execute, inputSchema, name } = dictionary(value);
  for (const [field, given] of Object.entries({ name, description })) {
    if (given === undefined || `${given}` === "") throw new TypeError(`a tool must have a ${field}`);
  }
  if (execute !== undefined && typeof execute !== "function") throw new TypeError("execute must be a function");
  if (typeof inputSchema !== "object" || inputSchema === null) throw new TypeError("inputSchema must be an object");
  const { type, properties, required } = inputSchema as Record<string, unknown>;
  if (type !== "object") throw new TypeError('inputSchema must be of type "object"');
  if (properties !== undefined && (typeof properties !== "object" || properties === null)) {
    throw new TypeError("properties of inputSchema must be an object");
  }
  if (required !== undefined && !Array.isArray(required)) throw new TypeError("required of inputSchema must be a list");
  const parameters = JSON.parse(JSON.stringify(inputSchema));
  return {
    type: "function",
    function: { name: `${name}`, description: `${description}`, parameters },
    execute: execute as DeclaredTool["execute"],
  };
}

/** Whether sessions can be of these types and languages. @param known the model's languages, if somebody says */
export function isSupported({ inputs, outputs }: CoreOptions, known: readonly string[] | undefined): boolean {
  const speaks = (tag: string) => {
    const { language } = new Intl.Locale(tag);
    return known ? known.includes(tag) || known.includes(language) : !NO_LANGUAGES.includes(language);
  };
  const fits = (types: readonly string[]) => (expected: Expected) =>
    types.includes(expected.type) && expected.languages.every(speaks);
  return inputs.every(fits(INPUTS)) && outputs.every(fits(OUTPUTS));
}
