// The model while it is calibrated: the core's calibration build (assembly/calibrate.ts) with int8 weights, run layer
// by layer.

import {
  INFO_BOS,
  INFO_HIDDEN,
  INFO_LAYERS,
  INFO_VOCABULARY,
  IO_BYTES,
  KV_F32,
  LOGIT_ROWS,
  MAX_BATCH,
  TENSOR_NAME,
  TENSOR_NAME_LENGTH,
  TENSOR_RECORD_BYTES,
} from "../../assembly/layout/abi.js";
import { BYTES_Q4_0, BYTES_Q8_0, GROUP } from "../../assembly/layout/blocks.js";
import { SITE_HEAD } from "../../assembly/layout/calibration.js";
import type { CalibrationExports } from "../../assembly/layout/exports.js";
import { HEADER_READY } from "../../assembly/layout/status.js";
import { encode } from "../../host/core/engine/tokenizer.js";
import { Core } from "../../host/core/wasm/core.js";
import type { Checkpoint } from "../checkpoint/checkpoint.js";
import type { Quantizer } from "../round/quantizer.js";
import { plainRounding } from "../round/rounding.js";
import { encodeGguf } from "../write/encode.js";

const WINDOW = 512; // tokens of a run, in a model that was trained on as many

/** Token ids of at most MAX_BATCH neighbours and the residual stream at them, f32[count][hidden]. */
export interface CalibrationBatch {
  tokens: readonly number[];
  /** Of the first token, in its run. */
  position: number;
  residual: Float32Array;
}

export class CalibrationModel {
  readonly layers: number;
  readonly hidden: number;
  readonly vocabulary: number;
  private readonly core: Core;
  /** Tokens of a run at most. */
  private readonly window: number;
  private readonly exports: CalibrationExports;
  private readonly tensors = new Map<string, number>();

  private constructor(core: Core, window: number) {
    this.core = core;
    this.window = window;
    this.exports = core.exports as CalibrationExports;
    this.layers = this.exports.info(INFO_LAYERS);
    this.hidden = this.exports.info(INFO_HIDDEN);
    this.vocabulary = this.exports.info(INFO_VOCABULARY);
    for (let i = 0; i < this.exports.tensorCount(); i++) {
      const address = this.exports.tensorEntry(i);
      const length = core.view(address, TENSOR_RECORD_BYTES).getUint32(TENSOR_NAME_LENGTH, true);
      this.tensors.set(core.text(address + TENSOR_NAME, length), i);
    }
  }

  /** @param module assembly/calibrate.ts @throws ZagreusError what is wrong with the checkpoint */
  static async load(
    checkpoint: Checkpoint,
    module: WebAssembly.Module,
    quantizer: Quantizer,
    signal: AbortSignal | undefined,
  ): Promise<CalibrationModel> {
    const core = await Core.create(module, false);
    const trained = Number(checkpoint.metadata.get("llama.context_length")?.value ?? WINDOW);
    const window = Math.min(WINDOW, trained);
    core.check(core.exports.begin(window, KV_F32, 0, 1, 0));
    const feed = async (bytes: Uint8Array) => {
      for (let at = 0; at < bytes.length; at += IO_BYTES) {
        const piece = bytes.subarray(at, at + IO_BYTES);
        core.write(piece);
        let status = core.check(core.exports.feed(piece.length));
        while (status === HEADER_READY) status = core.check(core.exports.plan());
      }
    };
    const rounding = plainRounding(quantizer);
    await encodeGguf(checkpoint, feed, { type: "q8_0", requantize: true, rounding, quantizer, signal });
    core.check(core.exports.end());
    return new CalibrationModel(core, window);
  }

  /**
   * The text's first `most` tokens, in runs that begin with bos where the model has one. Residual streams are still
   * zero.
   */
  batches(text: string | Uint8Array, most: number): CalibrationBatch[] {
    const bos = this.exports.info(INFO_BOS);
    const tokens = encode(this.core, text).slice(0, most);
    const start = bos >= 0 ? [bos] : [];
    const batches: CalibrationBatch[] = [];
    const length = this.window - start.length;
    for (let at = 0; at < tokens.length; at += length) {
      const run = [...start, ...tokens.slice(at, at + length)];
      for (let position = 0; position < run.length; position += MAX_BATCH) {
        const some = run.slice(position, position + MAX_BATCH);
        batches.push({ tokens: some, position, residual: new Float32Array(some.length * this.hidden) });
      }
    }
    return batches;
  }

  /** Sets a batch's residual stream to its tokens' embeddings. */
  embed({ tokens, residual }: CalibrationBatch): void {
    this.core.words(this.exports.batch(), tokens.length).set(tokens);
    this.exports.embed(tokens.length);
    residual.set(this.core.floats(this.exports.residual(), residual.length));
  }

  /**
   * Runs half a layer, STEP_*, on a batch whose predecessors in its run have been through it; gives what matrices at
   * `site` read there.
   */
  run(
    step: number,
    layer: number,
    { tokens, position, residual }: CalibrationBatch,
    site: number,
    keep: boolean,
  ): Float32Array {
    const stream = this.core.floats(this.exports.residual(), residual.length);
    stream.set(residual);
    this.exports.runStep(step, layer, tokens.length, position);
    if (keep) residual.set(stream);
    return this.read(site, layer, tokens.length);
  }

  /** What matrices at `site` read of a batch's residual stream. Valid until the next call. */
  input(site: number, layer: number, { tokens, residual }: CalibrationBatch): Float32Array {
    this.core.floats(this.exports.residual(), residual.length).set(residual);
    return this.read(site, layer, tokens.length);
  }

  /**
   * Runs a batch, whose predecessors in its run have been, through the whole model; gives what the LM head reads,
   * f32[count][hidden].
   */
  forward({ tokens, position }: CalibrationBatch): Float32Array {
    this.core.words(this.exports.batch(), tokens.length).set(tokens);
    this.core.check(this.exports.forward(tokens.length, position));
    return this.read(SITE_HEAD, 0, tokens.length).slice();
  }

  /** The logits of each token of a batch that forward() has just run; each is valid until the next is asked for. */
  *logits({ tokens }: CalibrationBatch): Generator<Float32Array> {
    for (let first = 0; first < tokens.length; first += LOGIT_ROWS) {
      const count = Math.min(LOGIT_ROWS, tokens.length - first);
      const address = this.core.rows(this.exports.logits(first, count));
      for (let row = 0; row < count; row++) {
        yield this.core.floats(address + 4 * row * this.vocabulary, this.vocabulary);
      }
    }
  }

  width(site: number): number {
    return this.exports.siteWidth(site);
  }

  /** Replaces a matrix, which the model holds as int8, by Q4_0 blocks, exactly; pieces of whole rows in order. */
  replace(name: string, blocks: Uint8Array, first: boolean): void {
    const index = this.tensors.get(name)!;
    const whole = Math.floor(IO_BYTES / BYTES_Q8_0);
    for (let at = 0; at < blocks.length; at += whole * BYTES_Q4_0) {
      const bytes = widen(blocks.subarray(at, at + whole * BYTES_Q4_0));
      this.core.write(bytes);
      this.core.check(this.exports.repack(index, first && at === 0 ? 1 : 0, bytes.length));
    }
  }

  private read(site: number, layer: number, count: number): Float32Array {
    return this.core.floats(this.exports.input(site, layer, count), count * this.width(site));
  }
}

/** Q4_0 blocks as Q8_0 blocks of the same values. */
function widen(blocks: Uint8Array): Uint8Array {
  const wide = new Uint8Array((blocks.length / BYTES_Q4_0) * BYTES_Q8_0);
  for (let from = 0, to = 0; from < blocks.length; from += BYTES_Q4_0, to += BYTES_Q8_0) {
    wide[to] = blocks[from]!;
    wide[to + 1] = blocks[from + 1]!;
    for (let i = 0; i < GROUP / 2; i++) {
      const byte = blocks[from + 2 + i]!;
      wide[to + 2 + i] = (byte & 15) - 8;
      wide[to + 2 + GROUP / 2 + i] = (byte >> 4) - 8;
    }
  }
  return wide;
}
