// Tools from a file: JSON as OpenAI's API has them, whose results a person supplies, or a module whose tools run.

import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { RunnableTool, Tool } from "../../index.js";
import { badFile, readJson } from "../shared/json_file.js";

/** A tool that may have to be asked for its results. */
export type FileTool = Tool & Partial<Pick<RunnableTool, "run">>;

const MODULES = [".mjs", ".js"];

/**
 * The tools of FILE.json, `[{"type": "function", "function": {…}}, …]` or `{"tools": […]}`, or those that a module exports as `default`
 * or `tools`, with a function `run`.
 * @throws ZagreusError BAD_JSON for a file that has none
 */
export async function loadTools(path: string): Promise<FileTool[]> {
  const isModule = MODULES.includes(extname(path));
  const value = isModule ? await import(pathToFileURL(resolve(path)).href) : await readJson(path);
  const tools: unknown = Array.isArray(value) ? value : (value?.default ?? value?.tools);
  if (!Array.isArray(tools)) throw badFile(path, "must have an array of tools");
  for (const [i, tool] of tools.entries()) {
    if (typeof tool?.function?.name !== "string") throw badFile(path, `tools[${i}] must have function.name`);
    if (isModule && typeof tool.run !== "function") throw badFile(path, `tools[${i}] must have a function run`);
  }
  return isModule ? tools : tools.map(({ type, function: definition }) => ({ type, function: definition }));
}
