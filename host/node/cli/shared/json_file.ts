// JSON files that a person has written.

import { readFile } from "node:fs/promises";
import { ZagreusError } from "../../index.js";

/** @throws ZagreusError BAD_JSON */
export async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, "utf8");
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw badFile(path, `is no JSON: ${cause instanceof Error ? cause.message : cause}`, cause);
  }
}

export function badFile(path: string, problem: string, cause?: unknown): ZagreusError {
  return new ZagreusError("BAD_JSON", `${path} ${problem}`, { field: path, cause });
}
