// JSON files that a person has written.

import { readFile } from "node:fs/promises";
import { ZagreusError } from "../../index.js";

/** @throws ZagreusError BAD_JSON */
export async function readJson(path: string): Promise<unknown> {
  const bytes = await readFile(path);
  try {
    return JSON.parse(new TextDecoder().decode(bytes)); // which drops the byte order mark of editors on Windows
  } catch (cause) {
    throw badFile(path, `is no JSON: ${cause instanceof Error ? cause.message : cause}`, cause);
  }
}

/** BAD_JSON for a file that says something wrong. */
export function badFile(path: string, problem: string, cause?: unknown): ZagreusError {
  return new ZagreusError("BAD_JSON", `${path} ${problem}`, { field: path, cause });
}
