// Text from arguments, files and standard input.

import { readFile } from "node:fs/promises";
import { ZagreusError } from "../../index.js";

/** Bytes of a file, "-" for standard input. */
export async function readInput(path: string): Promise<Uint8Array> {
  if (path !== "-") return readFile(path);
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

/** Whether something can be read from standard input without asking a person. */
export function hasStandardInput(): boolean {
  return !process.stdin.isTTY;
}

/** The same, or of what a URL names. @throws ZagreusError SOURCE_FAILED */
export async function readPlace(place: string): Promise<Uint8Array> {
  if (!/^https?:/i.test(place)) return readInput(place);
  const response = await fetch(place);
  if (response.ok) return new Uint8Array(await response.arrayBuffer());
  throw new ZagreusError("SOURCE_FAILED", `HTTP status is ${response.status} for ${place}, must be 2xx`, {
    field: "suite",
    value: response.status,
  });
}
