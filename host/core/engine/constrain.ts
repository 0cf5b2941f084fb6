// A generation within what its responseFormat allows.

import * as abi from "../../../assembly/layout/abi.js";
import type { ResponseFormat } from "../api/api.js";
import { invalidOption, part } from "../api/errors.js";
import { failure } from "../api/messages.js";
import type { Generation } from "../api/options.js";
import type { Constraint } from "../grammar/constraint.js";
import type { Engine } from "./engine.js";
import type { Pace } from "./pace.js";

/** Undefined when any text will do. @throws ZagreusError BAD_SCHEMA, BAD_GRAMMAR, and what `pace` throws */
export async function constrain(
  engine: Engine,
  { responseFormat }: Generation,
  pace: Pace,
): Promise<Constraint | undefined> {
  if (!responseFormat || responseFormat.type === "text") return undefined;
  const { createConstraint, finishInSlices, vocabularyOf } = await part(import("../grammar/index.js"));
  const pause = () => pace.yield();
  const vocabulary = await finishInSlices(vocabularyOf(engine), pause);
  return finishInSlices(createConstraint(responseFormat, vocabulary), pause);
}

/** A format as bytes for zagreus.wasm with this model. @throws ZagreusError BAD_SCHEMA, BAD_GRAMMAR, INVALID_OPTION */
export async function compileFormat(engine: Engine, format: ResponseFormat, pace: Pace): Promise<Uint8Array> {
  const { compileFormat, finishInSlices, vocabularyOf } = await part(import("../grammar/index.js"));
  const pause = () => pace.yield();
  const vocabulary = await finishInSlices(vocabularyOf(engine), pause);
  return finishInSlices(compileFormat(format, vocabulary), pause);
}

/** @throws ZagreusError INVALID_OPTION, CONTEXT_OVERFLOW when the text may not come to its end behind `length` tokens */
export function checkRoom({ info }: Engine, { shortest }: Constraint, options: Generation, length: number): void {
  if (shortest > options.maxTokens) {
    throw invalidOption("maxTokens", options.maxTokens, `at least ${shortest} for what responseFormat wants`);
  }
  if (!options.overflow && length + shortest > info.contextLength) {
    throw failure("CONTEXT_OVERFLOW", length + shortest, info.contextLength);
  }
}

/** What may come next, as the sampler wants to know it. */
export class NextMask {
  readonly #constraint: Constraint;
  readonly #bits: Uint8Array;
  #masked = false;

  constructor({ info }: Engine, constraint: Constraint) {
    this.#constraint = constraint;
    this.#bits = new Uint8Array((info.vocabulary + 7) >> 3);
  }

  /** Finds out, in slices. @param remaining tokens that may still be sampled, the next one included */
  async prepare(remaining: number, pace: Pace): Promise<void> {
    this.#masked = await this.#constraint.allowInSlices(this.#bits, remaining, () => pace.yield());
  }

  /** Tells the sampler for the next row of a sequence; whether that is less than anything. */
  apply({ core }: Engine, sequence: number): boolean {
    const masked = this.#masked;
    if (masked) core.bytes(core.exports.samplerMask(), this.#bits.length).set(this.#bits);
    core.view(core.exports.sampler(sequence), abi.SAMPLER_BYTES).setInt32(abi.SAMPLER_MASKED, masked ? 1 : 0, true);
    return masked;
  }
}
