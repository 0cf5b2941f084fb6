// One instance of the core, with views on its memory and its errors thrown. Views are made anew each time: growing
// memory detaches old ones.

import type { CoreExports } from "../../../assembly/layout/exports.js";
import { ACTIVATION_OVERFLOW, FIRST_ERROR } from "../../../assembly/layout/status.js";
import { coreError, type Failure } from "../api/messages.js";
import { instantiate, sharedMemory } from "./instantiate.js";

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

export class Core {
  readonly exports: CoreExports;

  private constructor(exports: CoreExports) {
    this.exports = exports;
  }

  /** @param shared whether it is a build with threads */
  static async create(module: WebAssembly.Module, shared: boolean): Promise<Core> {
    return new Core(await instantiate(module, shared ? sharedMemory() : undefined));
  }

  get memory(): WebAssembly.Memory {
    return this.exports.memory;
  }

  /** u8[length] at an address. */
  bytes(address: number, length: number): Uint8Array {
    return new Uint8Array(this.exports.memory.buffer, address >>> 0, length);
  }
  /** u32[length] at an address. */
  words(address: number, length: number): Uint32Array {
    return new Uint32Array(this.exports.memory.buffer, address >>> 0, length);
  }
  /** f32[length] at an address. */
  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.exports.memory.buffer, address >>> 0, length);
  }
  view(address: number, length?: number): DataView {
    return new DataView(this.exports.memory.buffer, address >>> 0, length);
  }
  text(address: number, length: number): string {
    return utf8.decode(this.bytes(address, length).slice()); // decoders refuse shared memory
  }

  /** Copies bytes into the I/O buffer. */
  write(bytes: Uint8Array): void {
    this.bytes(this.exports.buffer(), bytes.length).set(bytes);
  }
  /** A copy of the first `length` bytes of the I/O buffer. */
  read(length: number): Uint8Array {
    return this.bytes(this.exports.buffer(), length).slice();
  }

  /**
   * Passes on the address that logits() or hidden() has returned.
   * @throws ZagreusError ACTIVATION_OVERFLOW when it is 0: for rows that have been run there is no other reason
   */
  rows(address: number): number {
    if (address === 0) throw coreError(ACTIVATION_OVERFLOW, this.failure());
    return address >>> 0;
  }
  /** Passes a status on unless it is an error, which it throws. */
  check(status: number): number {
    if (status >= FIRST_ERROR) throw coreError(status, this.failure());
    return status;
  }
  /** The same for calls that return a count, or a negated error. */
  counted(count: number): number {
    if (count < 0) throw coreError(-count, this.failure());
    return count;
  }
  private failure(): Failure {
    const { exports } = this;
    return {
      field: this.text(exports.errorField(), exports.errorFieldLength()),
      value: exports.errorValue(),
      expected: exports.errorExpected(),
    };
  }
}
