// A host of zagreus.wasm's reactor as docs/embedding.md tells how to write one, in Node's WASI.

import { WASI } from "node:wasi";
import { ROOT } from "./harness";

const U32 = 4;

/** What a call says that failed. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The status of what is refused with a sentence, 0 of what is not refused. */
export function status(call: () => unknown): number {
  try {
    call();
  } catch (error) {
    if (error instanceof Refused && error.message.length > 10) return error.status;
    throw error;
  }
  return 0;
}

/** Why a completion ended, by the number in a piece. */
export const FINISH = ["none", "stop", "length", "context"];

export interface Piece {
  finish: number;
  token: number;
  text: string;
}

type Argument = number | bigint;
type Functions = Record<string, (...args: Argument[]) => number | bigint>;

export class Embedded {
  readonly #exports: Functions;
  readonly #memory: WebAssembly.Memory;

  /** @param directory what the guest sees as "." */
  constructor(module: WebAssembly.Module, directory = ROOT) {
    const wasi = new WASI({ version: "preview1", preopens: { ".": directory } });
    const { wasi_snapshot_preview1: functions } = wasi.getImportObject() as unknown as {
      wasi_snapshot_preview1: Record<string, (...values: unknown[]) => unknown>;
    };
    // Plain functions around Node's own: see run.mjs.
    const plain = Object.entries(functions).map(([name, call]) => [name, (...values: unknown[]) => call(...values)]);
    const { exports } = new WebAssembly.Instance(module, { wasi_snapshot_preview1: Object.fromEntries(plain) });
    this.#memory = exports.memory as WebAssembly.Memory;
    // Node takes a module for a command or for a reactor by its exports; this one is both.
    wasi.initialize({ exports: { memory: this.#memory, _initialize() {} } });
    this.#exports = exports as Functions;
  }

  /** Calls as it is: the status. */
  raw(name: string, ...args: Argument[]): number {
    return Number(this.#exports[`zagreus_${name}`]!(...args));
  }

  /** Writes to the buffer. */
  write(bytes: Uint8Array): number {
    new Uint8Array(this.#memory.buffer).set(bytes, this.raw("buffer"));
    return bytes.length;
  }

  /** What the last call gave, a copy. */
  result(): Buffer {
    const at = this.raw("result");
    return Buffer.from(this.#memory.buffer.slice(at, at + this.raw("length")));
  }

  /** @throws Refused */
  call(name: string, ...args: Argument[]): Buffer {
    const status = this.raw(name, ...args);
    if (status !== 0) throw new Refused(status, this.result().toString());
    return this.result();
  }

  /** A call about a text; its length comes first, or behind a session. */
  text(name: string, text: string, before: Argument[] = [], after: Argument[] = []): Buffer {
    return this.call(name, ...before, this.write(Buffer.from(text)), ...after);
  }

  u32(name: string, ...args: Argument[]): number {
    return this.call(name, ...args).readUInt32LE();
  }

  load(path: string, context = 0, kvType = 0): void {
    this.call("initialize");
    this.text("load_path", path, [], [context, kvType, 0n]);
  }

  open(prompt: string, options: Record<number, number> = {}, seed?: bigint): number {
    const session = this.u32("session_open");
    for (const [option, value] of Object.entries(options)) this.call("session_option", session, Number(option), value);
    if (seed !== undefined) this.call("session_seed", session, seed);
    if (prompt) this.text("session_append", prompt, [session], [0]);
    return session;
  }

  next(session: number): Piece {
    const bytes = this.call("next", session);
    return {
      finish: bytes.readUInt32LE(0),
      token: bytes.readUInt32LE(U32),
      text: bytes.subarray(3 * U32).toString(),
    };
  }

  /** All of a completion. */
  complete(session: number): { text: string; finish: number } {
    this.call("complete", session);
    let text = "";
    for (;;) {
      const piece = this.next(session);
      text += piece.text;
      if (piece.finish) return { text, finish: piece.finish };
    }
  }

  tokens(session: number): number[] {
    return ids(this.call("session_tokens", session));
  }
}

export function ids(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / U32 }, (_, i) => bytes.readUInt32LE(U32 * i));
}
