// Standard output, and what happens when somebody presses Ctrl-C or ends the process.

import { once } from "node:events";
import { printable, printableJson } from "../../../core/api/printable.js";
import { styled } from "./colour.js";

/** The one JSON object of --json. */
export function printJson(value: object): void {
  process.stdout.write(`${printableJson(value)}\n`);
}

/** A line for people, whatever its text says. `head` stands before it, as styled() makes it. */
export function print(line: string, head = ""): void {
  process.stdout.write(`${head}${printable(line, "\t")}\n`);
}

/** Says something that is no result, on standard error. */
export function notice(message: string): void {
  process.stderr.write(`${styled("dim", `zagreus: ${message}`, process.stderr)}\n`);
}

/** Writes the text of a model, waiting for a slow reader: as it is, but for a terminal. */
export async function write(text: string): Promise<void> {
  if (!process.stdout.write(shown(text))) await once(process.stdout, "drain");
}

/** The text of a model as standard output takes it. */
export function shown(text: string): string {
  return process.stdout.isTTY ? printable(text, "\n\t") : text;
}

/** Ends the process with a sentence when standard output takes no more, or silently when its reader went away. */
export function watchStandardOutput(failure: number): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0); // as in `zagreus … | head`
    process.stderr.write(`zagreus: cannot write to standard output: ${printable(error.message)}\n`);
    process.exit(failure);
  });
  process.stderr.on("error", () => {}); // there is nobody to tell
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
