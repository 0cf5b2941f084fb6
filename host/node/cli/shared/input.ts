// Text from arguments, files and standard input.

import { readFile } from "node:fs/promises";

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
