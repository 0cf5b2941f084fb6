// A file of JSON lines that grows as work goes on.

import { open, readFile } from "node:fs/promises";
import { ZagreusError } from "../../core/api/errors.js";
import { outputPath, unwritten, writeAtomically } from "./output_file.js";

export interface LineOutput {
  /** Lines that an earlier run has left. */
  known: unknown[];
  write(line: object): Promise<void>;
}

/**
 * Writes lines to `out` while `work` goes on: to a file that is there when all of it is, or, to resume, behind the whole lines that the
 * file has, at once, so that the next run finds them. Without `out` nowhere.
 * @throws ZagreusError BAD_JSON for a line that is no JSON, WRITE_FAILED, DISK_FULL, INVALID_OPTION, and what `work` throws
 */
export async function withLines<T>(
  out: string | undefined,
  resume: boolean,
  work: (output: LineOutput) => Promise<T>,
): Promise<T> {
  if (out === undefined) return work({ known: [], async write() {} });
  const path = await outputPath(out);
  if (resume) return appending(path, work);
  return writeAtomically(path, (sink) => work({ known: [], write: (line) => sink(encoded(line)) }));
}

const encoded = (line: object) => Buffer.from(`${JSON.stringify(line)}\n`);

async function appending<T>(path: string, work: (output: LineOutput) => Promise<T>): Promise<T> {
  const before = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return Buffer.alloc(0);
    throw error;
  });
  const whole = before.subarray(0, before.lastIndexOf(0x0a) + 1);
  const known = whole
    .toString()
    .split("\n")
    .slice(0, -1)
    .map((line, i) => parsed(path, line, i + 1));
  const file = await open(path, "a");
  try {
    await file.truncate(whole.length);
    return await work({
      known,
      async write(line) {
        await file.appendFile(encoded(line)).catch((cause) => {
          throw unwritten(path, cause);
        });
      },
    });
  } finally {
    await file.close();
  }
}

function parsed(path: string, line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ZagreusError("BAD_JSON", `${path}, line ${number}: ${reason}`, { field: path, value: number, cause });
  }
}
