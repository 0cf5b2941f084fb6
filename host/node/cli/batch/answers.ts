// The output of a batch: a line for each request in the order of the input, written as it is known. So what an earlier run has left is the
// beginning of the whole.

import { type FileHandle, open } from "node:fs/promises";
import { outputPath, unwritten } from "../../files/output_file.js";
import { ZagreusError } from "../../index.js";
import { inputLines } from "./input_lines.js";

const LINE_END = 0x0a;
const BLOCK = 64 * 1024;

export class Answers {
  readonly path: string;
  readonly #file: FileHandle;
  /** Bytes of the whole lines that were there. */
  readonly #kept: number;

  private constructor(path: string, file: FileHandle, kept: number) {
    this.path = path;
    this.#file = file;
    this.#kept = kept;
  }

  /**
   * Opens the file at `path`, or makes it. A last line that a killed run has torn is removed.
   * @param anew without what is there
   * @throws ZagreusError INVALID_OPTION for what is no file, WRITE_FAILED
   */
  static async open(path: string, anew: boolean): Promise<Answers> {
    const place = await outputPath(path);
    const file = await open(place, anew ? "w+" : "a+").catch((cause) => {
      throw unwritten(place, cause);
    });
    const kept = await wholeLines(file);
    await file.truncate(kept);
    return new Answers(place, file, kept);
  }

  /** The custom_id of each line that was there. @throws ZagreusError BAD_JSON for a line that is no answer of a batch */
  async *known(): AsyncGenerator<string | null> {
    if (this.#kept === 0) return;
    const chunks = this.#file.createReadStream({ start: 0, end: this.#kept - 1, autoClose: false });
    for await (const { number, bytes } of inputLines(chunks, Number.POSITIVE_INFINITY)) {
      yield idOf(this.path, number, bytes!);
    }
  }

  async write(line: string): Promise<void> {
    await this.#file.appendFile(`${line}\n`).catch((cause) => {
      throw unwritten(this.path, cause);
    });
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** Bytes until behind the last end of a line. */
async function wholeLines(file: FileHandle): Promise<number> {
  const block = Buffer.alloc(BLOCK);
  for (let end = (await file.stat()).size; end > 0; end = Math.max(end - BLOCK, 0)) {
    const from = Math.max(end - BLOCK, 0);
    const { bytesRead } = await file.read(block, 0, end - from, from);
    const at = block.subarray(0, bytesRead).lastIndexOf(LINE_END);
    if (at >= 0) return from + at + 1;
  }
  return 0;
}

function idOf(path: string, number: number, bytes: Uint8Array): string | null {
  const fail = (cause?: unknown) =>
    new ZagreusError("BAD_JSON", `${path}, line ${number} is no answer of a batch; remove the file, or name another`, {
      field: path,
      value: number,
      cause,
    });
  let line: unknown;
  try {
    line = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw fail(cause);
  }
  const id = (line as { custom_id?: unknown } | null)?.custom_id;
  if (typeof id !== "string" && id !== null) throw fail();
  return id;
}
