// The bundled model, as a package user gets it: from what was built.

import { readFileSync } from "node:fs";
import { bundledModel, type GenerateOptions, type LoadOptions, load } from "zagreus-edge";

export const loadNano = (options: LoadOptions = {}) => load(bundledModel, options);
export const nanoBytes = () => new Uint8Array(readFileSync(bundledModel));

export const PROMPT = "C'era una volta un re che aveva";
/** Nothing but the best token. */
export const GREEDY: GenerateOptions = { temperature: 0, repetitionPenalty: 1 };

/** Bits of floats, to compare exactly. */
export const bits = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

export async function caught(run: Promise<unknown> | (() => unknown)): Promise<unknown> {
  try {
    await (typeof run === "function" ? run() : run);
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
