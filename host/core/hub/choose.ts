// Which files of a repository are the model.

import { Fields, parseObject } from "../api/json.js";
import { BLOCK_TYPES, MIXES, PLAIN_TYPES } from "../api/names.js";
import { parsePartName } from "../gguf/parts.js";
import type { HubEntry } from "./listing.js";

const bits = (name: string) => Number(/\d/.exec(name));
const NATIVE = ["Q4_0", "Q8_0"]; // int4, int8: run as they are
const REPACKED_TO_INT8 = [
  ...Object.values(MIXES).reverse(),
  ...BLOCK_TYPES.filter((name) => !NATIVE.includes(name))
    .sort()
    .reverse(),
].sort((a, b) => bits(b) - bits(a)); // the closest to the original first

/** GGUF types, the first that a repository has is taken; full floats last. */
export const PREFERENCE: readonly string[] = [...NATIVE, ...REPACKED_TO_INT8, ...[...PLAIN_TYPES].reverse()];

export interface GgufChoice {
  path: string;
  bytes: number;
  /** As the file's name says. */
  type: string | undefined;
}

type NamedFile = Pick<HubEntry, "path" | "bytes">;

/** The quantization in a file's name: "zagreus-Q4_0.gguf" is Q4_0. */
export function typeInName(path: string): string | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1).replace(/\.gguf$/i, "");
  const types = name.match(
    /(?<![A-Za-z0-9])(?:I?Q\d_[A-Z0-9]+(?:_[A-Z]+)?|TQ\d_0|BF16|F16|F32|FP16|FP32)(?![A-Za-z0-9])/gi,
  );
  return types?.at(-1)?.toUpperCase().replace(/^FP/, "F");
}

/** The GGUF files that are models in one piece, the one to take first. */
export function rankGguf(entries: readonly NamedFile[]): GgufChoice[] {
  const rank = (type: string | undefined) => {
    const index = PREFERENCE.indexOf(type ?? "");
    return index < 0 ? PREFERENCE.length + (type === undefined ? 0 : 1) : index;
  };
  return entries
    .filter(({ path }) => isGguf(path) && !parsePartName(path) && !/(^|\/)mmproj/i.test(path))
    .map(({ path, bytes }) => ({ path, bytes, type: typeInName(path) }))
    .sort((a, b) => rank(a.type) - rank(b.type) || a.path.length - b.path.length || (a.path < b.path ? -1 : 1));
}

/** Whether a path is that of a GGUF file. */
export function isGguf(path: string): boolean {
  return /\.gguf$/i.test(path);
}

/** Whether a path is that of a safetensors file. */
export function isSafetensors(path: string): boolean {
  return /\.safetensors$/.test(path);
}

export const WEIGHTS_INDEX = "model.safetensors.index.json";
const WEIGHTS = "model.safetensors";
const SIDE_FILES = [
  ...["config.json", "generation_config.json"],
  ...["tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"],
  ...["chat_template.jinja", "chat_template.json"],
];

/** Names of the files beside the weights that a checkpoint needs; the index is one of them if it counts. */
export function sideFiles(paths: readonly string[]): string[] {
  const wanted = paths.includes(WEIGHTS) ? SIDE_FILES : [...SIDE_FILES, WEIGHTS_INDEX];
  const templates = paths.filter((path) => /^additional_chat_templates\/[\w.-]+\.jinja$/.test(path));
  return [...wanted.filter((path) => paths.includes(path)), ...templates];
}

/**
 * Names of the files with the weights: model.safetensors, else what the index names, else all at the top.
 * @param index the text of WEIGHTS_INDEX, if that is one of the side files
 * @throws ZagreusError BAD_JSON, MISSING_KEY, BAD_VALUE
 */
export function weightFiles(paths: readonly string[], index: string | undefined): string[] {
  if (paths.includes(WEIGHTS)) return [WEIGHTS];
  if (index === undefined) return paths.filter((path) => isSafetensors(path) && !path.includes("/"));
  const fields = new Fields(WEIGHTS_INDEX, parseObject(index, WEIGHTS_INDEX));
  const names = [...new Set<unknown>(Object.values(fields.object("weight_map").values))];
  const isListed = (name: unknown): name is string => typeof name === "string" && paths.includes(name);
  const missing = names.find((name) => !isListed(name));
  if (missing !== undefined) throw fields.bad("weight_map", missing, "a file of the repository");
  return names.filter(isListed);
}
