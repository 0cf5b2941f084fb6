// Standard output, and what happens when somebody presses Ctrl-C or ends the process.

import { once } from "node:events";
import { styled } from "./colour.js";

/** The one JSON object of --json. */
export function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Says something that is no result, on standard error. */
export function notice(message: string): void {
  process.stderr.write(`${styled("dim", `zagreus: ${message}`, process.stderr)}\n`);
}

/** Writes, waiting for a slow reader. */
export async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

/** Exit codes of what a person or the system ends a process with: 128 + the signal's number. */
const INTERRUPTIONS = { SIGINT: 130, SIGTERM: 143 };
const interruption = new AbortController();
let exitCode: number | undefined;

/** Fires at the first Ctrl-C, or SIGTERM; a second one ends the process as usual. */
export function interruptSignal(): AbortSignal {
  for (const [name, code] of Object.entries(INTERRUPTIONS)) {
    process.once(name, () => {
      exitCode = code;
      interruption.abort();
    });
  }
  return interruption.signal;
}

/** The exit code if the signal has fired. */
export function interrupted(): number | undefined {
  return exitCode;
}
