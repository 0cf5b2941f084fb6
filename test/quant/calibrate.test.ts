// Calibrated int4: what the rounding promises on one matrix, and what it does to a model.

import { readFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BYTES_Q4_0, GROUP, TYPE_F32, TYPE_Q4_0 } from "../../assembly/layout/blocks";
import { type CalibrationOptions, calibratedRounding } from "../../quant/calibration/calibrate";
import { learnCentres, nearestCentre } from "../../quant/calibration/clusters";
import { Compensator } from "../../quant/calibration/compensator";
import { Core, heldText, NANO } from "../support/core";
import { VARIANTS } from "../support/variants";
import { editTensors, gguf, nanoFiles, open, quantizer } from "./support";

const compiled = (name: string) =>
  new WebAssembly.Module(readFileSync(new URL(`../../dist/zagreus-${name}.wasm`, import.meta.url)));
const core = compiled("calibrate");
const compensator = compiled("quantizer");
const text = readFileSync(new URL("../../quant/calibration/text.txt", import.meta.url));

/** Normally distributed numbers, the same for the same seed. */
function noise(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

function floats(count: number, next: (i: number) => number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => next(i));
}

/** Values of Q4_0 blocks. */
function values(blocks: Uint8Array): Float32Array {
  const view = new DataView(blocks.buffer, blocks.byteOffset);
  return floats((blocks.length / BYTES_Q4_0) * GROUP, (i) => {
    const at = Math.floor(i / GROUP) * BYTES_Q4_0;
    const byte = blocks[at + 2 + (i % 16)]!;
    return half(view.getUint16(at, true)) * ((i % GROUP < 16 ? byte & 15 : byte >> 4) - 8);
  });
}

function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  const size = exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -size : size;
}

/** Squared distance between the outputs of two sets of rows on some inputs. */
function outputError(a: Float32Array, b: Float32Array, inputs: Float32Array, width: number): number {
  let error = 0;
  for (let row = 0; row < a.length; row += width) {
    for (let x = 0; x < inputs.length; x += width) {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += (a[row + i]! - b[row + i]!) * inputs[x + i]!;
      error += sum * sum;
    }
  }
  return error;
}

describe("one matrix", () => {
  test("its outputs are closer than with plain rounding, whatever the inputs", () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(32, 64, 160), fc.constantFrom(1, 3, 40, 400), (seed, width, count) => {
        const next = noise(seed);
        const rows = 5;
        const weights = floats(rows * width, next);
        const gains = floats(width, () => Math.exp(next()));
        const common = floats(width, next);
        const inputs = new Float32Array(count * width);
        for (let x = 0; x < count; x++) {
          const shared = 2 * next();
          for (let i = 0; i < width; i++) inputs[x * width + i] = gains[i]! * (next() + shared * common[i]!);
        }
        const compensating = new Compensator(compensator);
        compensating.begin(width);
        compensating.add(inputs);
        compensating.factorize(0.01);
        const { bytes, squaredError } = compensating.round(weights);
        const rounded = values(bytes);
        const plain = values(quantizer.round(TYPE_F32, new Uint8Array(weights.buffer), TYPE_Q4_0).bytes);
        const error = outputError(weights, rounded, inputs, width);
        expect(error).toBeLessThan(outputError(weights, plain, inputs, width));
        const squares = weights.reduce((sum, value, i) => sum + (value - rounded[i]!) ** 2, 0);
        expect(squaredError).toBeCloseTo(squares, 3);
      }),
      { numRuns: 40 },
    );
  });

  test("zero inputs and zero weights are rounded plainly well", () => {
    const compensating = new Compensator(compensator);
    compensating.begin(64);
    compensating.factorize(0.1);
    const zero = compensating.round(new Float32Array(64));
    expect(values(zero.bytes).every((value) => value === 0)).toBe(true);
    const weights = floats(64 * 70, noise(1));
    const plain = quantizer.round(TYPE_F32, new Uint8Array(weights.buffer), TYPE_Q4_0).squaredError;
    expect(compensating.round(weights).squaredError).toBeLessThan(plain);
  });
});

test("rows that point the same way are in the same cluster", () => {
  const next = noise(7);
  const width = 16;
  const directions = floats(3 * width, next);
  const rows = floats(90 * width, (i) => {
    const row = Math.floor(i / width);
    return (1 + (row % 5)) * (directions[Math.floor(row / 30) * width + (i % width)]! + 0.05 * next());
  });
  const centres = learnCentres(rows, width, 3);
  const groups = Array.from({ length: 90 }, (_, i) =>
    nearestCentre(rows.subarray(i * width, (i + 1) * width), centres),
  );
  for (const [i, group] of groups.entries()) expect(group).toBe(groups[i - (i % 30)]);
  expect(new Set(groups).size).toBe(3);
});

/** zagreus-nano in Q4_0, calibrated on the built-in text. */
async function calibrated(options: Partial<CalibrationOptions> = {}, files = nanoFiles(), embedding?: "q8_0") {
  const checkpoint = await open(files);
  const macrotask = () => setImmediate();
  const rounding = calibratedRounding(checkpoint, { core, compensator, quantizer, text, macrotask, ...options });
  return gguf(checkpoint, { type: "q4_0", embedding, rounding });
}

/** Perplexity on the beginning of the text that nothing is calibrated on. */
async function perplexity(file: Uint8Array, language: "ita" | "eng"): Promise<number> {
  const model = new Core(VARIANTS[0]!).open(file, { contextLength: 512 });
  return (await model.perplexity(heldText(language).subarray(0, 12_000), 512)).perplexity;
}

describe("zagreus-nano", () => {
  test("little text in five languages brings back a good part of what plain rounding loses", async () => {
    const file = await calibrated({ tokens: 4096 });
    const plain = await gguf(await open(nanoFiles()), { type: "q4_0" });
    expect(file.length).toBe(plain.length);
    const closed = async (language: "ita" | "eng") => {
      const none = await perplexity(plain, language);
      const all = await perplexity(NANO.F16(), language);
      return (none - (await perplexity(file, language))) / (none - all);
    };
    expect(((await closed("ita")) + (await closed("eng"))) / 2).toBeGreaterThan(0.2);
  });

  test("the same text gives the same bytes, with an embedding of its own precision too", async () => {
    const first = await calibrated({ tokens: 300 }, nanoFiles(), "q8_0");
    const second = await calibrated({ tokens: 300, macrotask: async () => {} }, nanoFiles(), "q8_0");
    expect(Buffer.from(first).equals(Buffer.from(second))).toBe(true);
  });

  test("progress reaches its end, and an abort in the middle ends it", async () => {
    const abort = new AbortController();
    const reports: number[] = [];
    const running = calibrated({
      tokens: 1200,
      signal: abort.signal,
      onProgress({ doneBytes, totalBytes }) {
        reports.push(doneBytes / totalBytes);
        if (doneBytes > totalBytes / 8) abort.abort();
      },
    });
    await expect(running).rejects.toMatchObject({ code: "ABORTED" });
    expect(reports.length).toBeGreaterThan(2);
    expect(reports).toEqual([...reports].sort((a, b) => a - b));
  });

  test("an empty text, and a model that overflows", async () => {
    await expect(calibrated({ text: "" })).rejects.toMatchObject({ code: "INVALID_OPTION", field: "calibrate" });
    const files = editTensors(nanoFiles(), (tensors) => {
      const norm = tensors.get("model.layers.1.input_layernorm.weight")!;
      new Uint16Array(norm.bytes.buffer, norm.bytes.byteOffset, norm.bytes.length / 2).fill(0x7f7f); // 3.4e38
    });
    await expect(calibrated({ tokens: 64 }, files, "q8_0")).rejects.toMatchObject({ code: "NON_FINITE_WEIGHT" });
  });

  test("an LM head apart from the embedding", async () => {
    const files = editTensors(nanoFiles(), (tensors) => {
      tensors.set("lm_head.weight", { ...tensors.get("model.embed_tokens.weight")! });
    });
    files.set(
      "config.json",
      new TextEncoder().encode(
        JSON.stringify({
          ...JSON.parse(new TextDecoder().decode(files.get("config.json"))),
          tie_word_embeddings: false,
        }),
      ),
    );
    const file = await calibrated({ tokens: 600 }, files);
    expect(await perplexity(file, "ita")).toBeLessThan(1.2 * (await perplexity(NANO.F16(), "ita")));
  });
});
