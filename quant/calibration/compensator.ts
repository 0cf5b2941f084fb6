// The quantizer's module once more, in an instance of its own, where second moments of inputs are gathered and rows are
// rounded under them. Memory, all f32:
//
//     | h [sets][width][width] | m [sets][width][width] | c [width][width] | r [outputs][width] |
//     | scratch [5][width] | x [ROWS][width] | y [ROWS][width + outputs] | blocks of ROWS rows |

import { TYPE_Q4_0 } from "../../assembly/layout/blocks.js";
import type { QuantizerExports } from "../../assembly/layout/exports.js";
import { ZagreusError } from "../../host/core/api/errors.js";
import { typeBytes } from "../checkpoint/types.js";
import { Quantizer, type RoundedRows } from "../round/quantizer.js";

/** Rows that go in at once. */
const ROWS = 64;

export class Compensator {
  private readonly quantizer: Quantizer;
  private readonly exports: QuantizerExports;
  private width = 0;
  private sets = 0;
  private outputs = 0;
  private scale = 0;
  private base = 0;

  /** @param module assembly/quantizer */
  constructor(module: WebAssembly.Module) {
    this.quantizer = new Quantizer(module);
    this.exports = this.quantizer.exports;
  }

  /**
   * Forgets all, and makes `sets` second moments of inputs of `width` columns, all zero; with `outputs`, also room for
   * what a matrix of as many rows has to make up for. @throws ZagreusError OUT_OF_MEMORY
   */
  begin(width: number, sets = 1, outputs = 0): void {
    this.width = width;
    this.sets = sets;
    this.outputs = outputs;
    const gathered = (2 * sets + 1) * width * width + outputs * width;
    const floats = gathered + (5 + 2 * ROWS) * width + ROWS * outputs;
    this.base = this.quantizer.scratch(4 * floats + typeBytes(TYPE_Q4_0, ROWS * width)!);
    this.floats(this.base, gathered).fill(0);
  }

  /** h += x^T x, for x f32[count][width]; only the upper triangle is kept. */
  add(x: Float32Array, set = 0): void {
    this.multiply(this.h(set), x, x, this.width, true);
  }

  /** The inputs x of a matrix should have been `wanted`, both f32[count][width]: c += (wanted - x)^T x. */
  addMissing(x: Float32Array, wanted: Float32Array): void {
    const missing = wanted.map((value, i) => value - x[i]!);
    this.multiply(this.c, missing, x, this.width, false);
  }

  /** Of its outputs `missing`, f32[count][outputs], is missing already: r += missing^T x. */
  addResidual(x: Float32Array, missing: Float32Array): void {
    this.multiply(this.r, missing, x, this.outputs, false);
  }

  /**
   * h = sum of `parts`, each divided by its mean diagonal and times its weight. Other sets than the target's are not
   * changed.
   */
  blend(set: number, parts: readonly { set: number; weight: number }[]): void {
    const target = this.moments(set);
    const sources = parts.map(({ set, weight }) => {
      const mean = this.exports.meanDiagonal(this.h(set), this.width);
      return { values: this.moments(set), factor: mean > 0 ? weight / mean : 0 };
    });
    for (let i = 0; i < target.length; i++) {
      let sum = 0;
      for (const { values, factor } of sources) sum += factor * values[i]!;
      target[i] = sum;
    }
  }

  /**
   * Ends gathering.
   * @param damping is added to the diagonal, as a part of its mean
   * @throws ZagreusError NON_FINITE_WEIGHT when inputs were not finite
   */
  factorize(damping: number): void {
    for (let set = 0; set < this.sets; set++) {
      const mean = this.exports.meanDiagonal(this.h(set), this.width);
      if (!Number.isFinite(mean)) {
        throw new ZagreusError("NON_FINITE_WEIGHT", "calibration: the model computes values that are not finite", {
          field: "calibrate",
          value: mean,
        });
      }
      this.scale = this.exports.factorize(this.h(set), this.m(set), this.width, damping, this.scratch);
    }
  }

  /** Rounds rows f32[count][width] to Q4_0 so that they do best on the inputs that were gathered. */
  round(weights: Float32Array, set = 0): RoundedRows {
    return this.roundRows(weights, set, () => 0);
  }

  /**
   * The same for rows from `first` on of a matrix that makes up for what its inputs and, if `hasResidual`, its outputs
   * miss.
   */
  roundMissing(weights: Float32Array, first: number, hasResidual: boolean): RoundedRows {
    const { exports, width } = this;
    return this.roundRows(weights, 0, (row, count) => {
      const pull = this.floats(this.y, count * width);
      if (hasResidual) pull.set(this.floats(this.r + 4 * (first + row) * width, pull.length));
      else pull.fill(0);
      exports.addPull(this.y, this.x, count, width, this.c, this.scale);
      return this.y;
    });
  }

  /** @param pull makes the pull of some rows and gives its address, or 0 */
  private roundRows(weights: Float32Array, set: number, pull: (row: number, count: number) => number): RoundedRows {
    const { exports, width } = this;
    const bytes = new Uint8Array(typeBytes(TYPE_Q4_0, weights.length)!);
    let squaredError = 0;
    for (let at = 0; at < weights.length; at += ROWS * width) {
      const rows = weights.subarray(at, at + ROWS * width);
      this.floats(this.x, rows.length).set(rows);
      const count = rows.length / width;
      const [h, m] = [this.h(set), this.m(set)];
      const from = pull(at / width, count);
      squaredError += exports.compensate(this.x, this.target, count, width, h, m, from, this.scratch);
      const size = typeBytes(TYPE_Q4_0, rows.length)!;
      bytes.set(new Uint8Array(exports.memory.buffer, this.target, size), typeBytes(TYPE_Q4_0, at)!);
    }
    return { bytes, squaredError };
  }

  /** c += y^T x, for y f32[count][rows] and x f32[count][width]. */
  private multiply(c: number, y: Float32Array, x: Float32Array, rows: number, upper: boolean): void {
    const { exports, width } = this;
    const all = x.length / width;
    for (let at = 0; at < all; at += ROWS) {
      const count = Math.min(ROWS, all - at);
      this.floats(this.x, count * width).set(x.subarray(at * width, (at + count) * width));
      this.floats(this.y, count * rows).set(y.subarray(at * rows, (at + count) * rows));
      exports.addProducts(c, this.y, rows, this.x, width, count, upper ? 1 : 0);
    }
  }

  private moments(set: number): Float32Array {
    return this.floats(this.h(set), this.width * this.width);
  }
  private floats(address: number, count: number): Float32Array {
    return new Float32Array(this.exports.memory.buffer, address, count);
  }
  private h(set: number): number {
    return this.base + 4 * set * this.width * this.width;
  }
  private m(set: number): number {
    return this.h(this.sets + set);
  }
  private get c(): number {
    return this.h(2 * this.sets);
  }
  private get r(): number {
    return this.h(2 * this.sets + 1);
  }
  private get scratch(): number {
    return this.r + 4 * this.outputs * this.width;
  }
  private get x(): number {
    return this.scratch + 20 * this.width;
  }
  private get y(): number {
    return this.x + 4 * ROWS * this.width;
  }
  private get target(): number {
    return this.y + 4 * ROWS * (this.width + this.outputs);
  }
}
