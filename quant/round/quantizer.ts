// The quantizer's WebAssembly module (assembly/quantizer), typed.

import { GROUP } from "../../assembly/layout/blocks.js";
import type { QuantizerExports } from "../../assembly/layout/exports.js";
import { invalidOption, ZagreusError } from "../../host/core/api/errors.js";
import { typeBytes } from "../checkpoint/types.js";

/** WebAssembly.Module where the program's types know it, which without the DOM library they do not. */
type WasmModule = typeof globalThis extends { WebAssembly: { Module: { prototype: infer Module } } } ? Module : object;

const SLACK = 64; // floats() may pass the ends by less

/** Rows of a matrix as ggml blocks. */
export interface RoundedRows {
  /** The blocks; valid until the next call. */
  bytes: Uint8Array;
  /** Sum of the squared differences from the rows. */
  squaredError: number;
}

/** One instance of the module, and its scratch memory. Nothing is kept from call to call. */
export class Quantizer {
  readonly exports: QuantizerExports;

  /** @throws ZagreusError OUT_OF_MEMORY where there is no address space for it, INVALID_OPTION */
  constructor(module: WasmModule) {
    if (!(module instanceof WebAssembly.Module)) throw invalidOption("module", module, "a WebAssembly.Module");
    try {
      this.exports = new WebAssembly.Instance(module).exports as unknown as QuantizerExports;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ZagreusError("OUT_OF_MEMORY", `the engine has no room for the quantizer: ${reason}`, { cause });
    }
  }

  /** Address of `bytes` of scratch memory. @throws ZagreusError OUT_OF_MEMORY */
  scratch(bytes: number): number {
    const address = bytes <= 0xffff0000 ? this.exports.scratch(bytes) >>> 0 : 0;
    if (address === 0) throw new ZagreusError("OUT_OF_MEMORY", `needs ${bytes} bytes of memory`, { value: bytes });
    return address;
  }

  /** f32 of `count` elements, whole blocks, of a type that can be loaded; valid until the next call. */
  floats(type: number, bytes: Uint8Array, count: number): Float32Array {
    const source = this.scratch(16 * Math.ceil(bytes.length / 16) + 4 * count + 2 * SLACK);
    return new Float32Array(this.exports.memory.buffer, this.load(type, bytes, count, source), count);
  }

  /** Rounds elements of one type to nearest in another: Q8_0 or Q4_0. The error is not finite when an element is not. */
  round(from: number, bytes: Uint8Array, to: number): RoundedRows {
    const count = bytes.length / typeBytes(from, 1)!;
    const size = typeBytes(to, count)!;
    const source = this.scratch(16 * Math.ceil(bytes.length / 16) + 4 * count + size + 2 * SLACK);
    const floats = this.load(from, bytes, count, source);
    const target = floats + 4 * count + SLACK;
    const squaredError = this.exports.round(to, floats, target, count / GROUP);
    return { bytes: new Uint8Array(this.exports.memory.buffer, target, size), squaredError };
  }

  /** Copies in and converts; the address of the floats. */
  private load(type: number, bytes: Uint8Array, count: number, source: number): number {
    const { memory, floats } = this.exports;
    new Uint8Array(memory.buffer, source, bytes.length).set(bytes);
    const target = source + 16 * Math.ceil(bytes.length / 16) + SLACK;
    floats(type, source, target, count);
    return target;
  }
}
