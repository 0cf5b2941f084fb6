// Standard output, and what happens when somebody presses Ctrl-C.

import { once } from "node:events";

/** The one JSON object of --json. */
export function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes, waiting for a slow reader. */
export async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

const interruption = new AbortController();

/** Fires at the first Ctrl-C; a second one ends the process as usual. */
export function interruptSignal(): AbortSignal {
  process.once("SIGINT", () => interruption.abort());
  return interruption.signal;
}

export function interrupted(): boolean {
  return interruption.signal.aborted;
}
