// Rounding to int4 with calibration: matrices are rounded for the inputs that a text gives them, one after the other as
// the data flows, each seeing what the already rounded ones before it make of the text. docs/quantization.md explains
// the method.

import { MAX_BATCH } from "../../assembly/layout/abi.js";
import { TYPE_Q4_0 } from "../../assembly/layout/blocks.js";
import {
  SITE_ATTENDED,
  SITE_ATTENTION,
  SITE_FEED_FORWARD,
  SITE_GATED,
  STEP_ATTENTION,
  STEP_FEED_FORWARD,
} from "../../assembly/layout/calibration.js";
import { invalidOption } from "../../host/core/api/errors.js";
import { checkSignal, type Macrotask, Pace } from "../../host/core/engine/pace.js";
import { concatenate } from "../../host/core/load/concatenate.js";
import type { Checkpoint, SourceTensor } from "../checkpoint/checkpoint.js";
import { typeBytes } from "../checkpoint/types.js";
import type { Quantizer, RoundedRows } from "../round/quantizer.js";
import { plainRounding, type Rounding, readRows } from "../round/rounding.js";
import { learnCentres, nearestCentre, sampleRows } from "./clusters.js";
import { Compensator } from "./compensator.js";
import { type CalibrationBatch, CalibrationModel } from "./model.js";

/** Parts of a second moment's mean diagonal that are added to its diagonal, because the text is only a sample. */
const DAMPING = 0.1;
/** Groups of tokens whose rows of the LM head are rounded together. */
const CLUSTERS = 32;
/** Curvature of the loss along a cluster's logits below which a token says nothing about the cluster. */
const NEGLIGIBLE = 1e-3;
/** What the embedding's use as a lookup weighs beside its use as LM head, on average over the channels. */
const LOOKUP_WEIGHT = 0.125;

export interface CalibrationOptions {
  /** assembly/calibrate.ts */
  core: WebAssembly.Module;
  /** assembly/quantizer */
  compensator: WebAssembly.Module;
  quantizer: Quantizer;
  text: string | Uint8Array;
  /** Of the text at most; 65,536 by default. */
  tokens?: number | undefined;
  signal?: AbortSignal | undefined;
  macrotask: Macrotask;
  /** Told how much of the text has been read, all the times that it is. */
  onProgress?: ((progress: { doneBytes: number; totalBytes: number }) => void) | undefined;
}

/**
 * Rounding that calibrates what becomes Q4_0; Q8_0 is rounded plainly. The same text gives the same bytes. Its blocks()
 * throws ZagreusError INVALID_OPTION for an empty text, ABORTED, OUT_OF_MEMORY, or what is wrong with the checkpoint.
 */
export function calibratedRounding(checkpoint: Checkpoint, options: CalibrationOptions): Rounding {
  const plain = plainRounding(options.quantizer);
  let loading: Promise<Calibration> | undefined;
  return {
    async *blocks(tensor, type) {
      if (type !== TYPE_Q4_0) return yield* plain.blocks(tensor, type);
      loading ??= Calibration.load(checkpoint, options);
      yield* (await loading).blocks(tensor);
    },
  };
}

interface Stage {
  site: number;
  matrices: string[];
  /** Whether their outputs are added to the residual stream. */
  addsTo: boolean;
  /** Their inputs; where these come after the residual stream has changed, it keeps the change. */
  read(model: CalibrationModel, layer: number, batch: CalibrationBatch): Float32Array;
}

/** A layer's matrices by where they read, in the order of the data. */
const STAGES: Stage[] = [
  {
    site: SITE_ATTENTION,
    matrices: ["attn_q", "attn_k", "attn_v"],
    addsTo: false,
    read: (model, layer, batch) => model.input(SITE_ATTENTION, layer, batch),
  },
  {
    site: SITE_ATTENDED,
    matrices: ["attn_output"],
    addsTo: true,
    read: (model, layer, batch) => model.run(STEP_ATTENTION, layer, batch, SITE_ATTENDED, false),
  },
  {
    site: SITE_FEED_FORWARD,
    matrices: ["ffn_gate", "ffn_up"],
    addsTo: false,
    read: (model, layer, batch) => model.run(STEP_ATTENTION, layer, batch, SITE_FEED_FORWARD, true),
  },
  {
    site: SITE_GATED,
    matrices: ["ffn_down"],
    addsTo: true,
    read: (model, layer, batch) => model.run(STEP_FEED_FORWARD, layer, batch, SITE_GATED, false),
  },
];

/** A model and what it makes of the text. */
interface ModelStream {
  model: CalibrationModel;
  batches: CalibrationBatch[];
}

class Calibration {
  private readonly tensors: Map<string, SourceTensor>;
  private readonly compensator: Compensator;
  private readonly pace: Pace;
  private readonly streams: readonly ModelStream[];
  private doneBytes = 0;
  private nextLayer = 0;
  /** Of the layer that is being written. */
  private readonly rounded = new Map<string, RoundedRows>();

  private constructor(
    /** Its matrices are replaced as they are rounded. */
    private readonly actual: ModelStream,
    /** As published. */
    private readonly wanted: ModelStream,
    checkpoint: Checkpoint,
    private readonly options: CalibrationOptions,
  ) {
    this.streams = [actual, wanted];
    this.tensors = new Map(checkpoint.tensors.map((tensor) => [tensor.name, tensor]));
    this.compensator = new Compensator(options.compensator);
    this.pace = new Pace(options.macrotask, () => checkSignal(options.signal));
  }

  static async load(checkpoint: Checkpoint, options: CalibrationOptions): Promise<Calibration> {
    const { core, quantizer, signal, text, tokens = 65_536 } = options;
    if (text.length === 0) throw invalidOption("calibrate", "", "a text that is not empty");
    const stream = async () => {
      const model = await CalibrationModel.load(checkpoint, core, quantizer, signal);
      return { model, batches: model.batches(text, tokens) };
    };
    return new Calibration(await stream(), await stream(), checkpoint, options);
  }

  async *blocks(tensor: SourceTensor): AsyncIterable<RoundedRows> {
    const { name } = tensor;
    const layer = /^blk\.(\d+)\./.exec(name)?.[1];
    if (layer === undefined) return yield* this.roundTokenMatrix(tensor);
    while (this.nextLayer <= Number(layer)) await this.roundLayer(this.nextLayer++);
    yield this.rounded.get(name)!;
    this.rounded.delete(name);
  }

  private async roundLayer(layer: number): Promise<void> {
    const { compensator, streams } = this;
    this.rounded.clear();
    if (layer === 0) for (const stream of streams) for (const batch of stream.batches) stream.model.embed(batch);
    for (const stage of STAGES) {
      const { site, matrices, addsTo } = stage;
      const outputs = addsTo ? this.actual.model.hidden : 0;
      compensator.begin(this.actual.model.width(site), 1, outputs);
      await this.pass((i) => {
        const [actual, wanted] = streams.map(({ batches }) => batches[i]!) as [CalibrationBatch, CalibrationBatch];
        const missing = wanted.residual.map((value, at) => value - actual.residual[at]!);
        const [inputs, wantedInputs] = streams.map(({ model, batches }) => stage.read(model, layer, batches[i]!));
        compensator.add(inputs!);
        compensator.addMissing(inputs!, wantedInputs!);
        if (addsTo) compensator.addResidual(inputs!, missing);
      });
      compensator.factorize(DAMPING);
      for (const matrix of matrices) await this.roundMatrix(`blk.${layer}.${matrix}.weight`, addsTo);
    }
    for (const { model, batches } of streams) {
      for (const batch of batches) {
        await this.pace.yield();
        model.run(STEP_FEED_FORWARD, layer, batch, SITE_GATED, true);
      }
    }
  }

  private async roundMatrix(name: string, hasResidual: boolean): Promise<void> {
    const tensor = this.tensors.get(name)!;
    const pieces: Uint8Array[] = [];
    let squaredError = 0;
    for await (const { row, floats } of this.rows(tensor)) {
      const rounded = this.compensator.roundMissing(floats, row, hasResidual);
      this.actual.model.replace(name, rounded.bytes, row === 0);
      pieces.push(rounded.bytes);
      squaredError += rounded.squaredError;
    }
    this.rounded.set(name, { bytes: concatenate(pieces), squaredError });
  }

  /** The embedding, the LM head, or both in one. */
  private async *roundTokenMatrix(tensor: SourceTensor): AsyncIterable<RoundedRows> {
    const tied = !this.tensors.has("output.weight");
    const isHead = tied || tensor.name === "output.weight";
    const isLookup = tensor.name === "token_embd.weight";
    const clusters = isHead ? Math.min(CLUSTERS, tensor.rows) : 1;
    const [all, lookup] = [clusters, clusters + 1]; // sets behind those of the clusters
    const { compensator } = this;
    compensator.begin(tensor.columns, clusters + 2);
    const groups = isHead ? await this.groups(tensor, clusters) : new Uint8Array(tensor.rows);
    if (isHead) await this.addHeadInputs(groups, clusters);
    if (isLookup) await this.addLookupReaders(lookup);
    for (let set = 0; set < clusters; set++) {
      compensator.blend(set, [
        { set, weight: isHead ? 0.5 : 0 },
        { set: all, weight: isHead ? 0.5 : 0 },
        { set: lookup, weight: isLookup ? LOOKUP_WEIGHT : 0 },
      ]);
    }
    compensator.factorize(DAMPING);

    const { columns } = tensor;
    for await (const { row, floats } of this.rows(tensor)) {
      const rows = floats.slice(); // reading uses the memory of the view
      const bytes = new Uint8Array((rows.length / columns) * typeBytes(TYPE_Q4_0, columns)!);
      let squaredError = 0;
      for (let set = 0; set < clusters; set++) {
        const members = [...groups.subarray(row, row + rows.length / columns).keys()].filter(
          (i) => groups[row + i] === set,
        );
        const gathered = new Float32Array(members.length * columns);
        members.forEach((i, at) => {
          gathered.set(rows.subarray(i * columns, (i + 1) * columns), at * columns);
        });
        const rounded = compensator.round(gathered, set);
        members.forEach((i, at) => {
          const size = typeBytes(TYPE_Q4_0, columns)!;
          bytes.set(rounded.bytes.subarray(at * size, (at + 1) * size), i * size);
        });
        squaredError += rounded.squaredError;
        await this.pace.yield();
      }
      if (isLookup) this.actual.model.replace(tensor.name, bytes, row === 0);
      yield { bytes, squaredError };
    }
  }

  /** The group of every row. */
  private async groups(tensor: SourceTensor, clusters: number): Promise<Uint8Array> {
    const { columns } = tensor;
    const picked = sampleRows(tensor.rows);
    const sample = new Float32Array(picked.length * columns);
    for (const [i, row] of picked.entries()) sample.set(this.floats(tensor, await tensor.read(row, 1)), i * columns);
    const centres = learnCentres(sample, columns, clusters);
    const groups = new Uint8Array(tensor.rows);
    for await (const { row, floats } of this.rows(tensor)) {
      for (let at = 0; at < floats.length; at += columns) {
        groups[row + at / columns] = nearestCentre(floats.subarray(at, at + columns), centres);
      }
      await this.pace.yield();
    }
    return groups;
  }

  /**
   * What the LM head reads: all in the set behind the clusters, and in each cluster's set as far as its tokens are
   * likely there. The loss curves by p (1 - p) along a token's logit.
   */
  private async addHeadInputs(groups: Uint8Array, clusters: number): Promise<void> {
    const { compensator } = this;
    const { model, batches } = this.wanted;
    const width = model.hidden;
    const scaled = new Float32Array(MAX_BATCH * width);
    await this.pass((i) => {
      const batch = batches[i]!;
      const inputs = model.forward(batch);
      compensator.add(inputs, clusters);
      const weights = Array.from(model.logits(batch), (logits) => curvature(logits, groups, clusters));
      for (let set = 0; set < clusters; set++) {
        let used = 0;
        for (const [t, { [set]: weight = 0 }] of weights.entries()) {
          if (weight < NEGLIGIBLE) continue;
          const root = Math.sqrt(weight);
          for (let i = 0; i < width; i++) scaled[used + i] = root * inputs[t * width + i]!;
          used += width;
        }
        compensator.add(scaled.subarray(0, used), set);
      }
    });
  }

  /**
   * What reads the lookup first: the rows of layer 0's query, key and value, times its norm's gains, are the directions
   * that matter.
   */
  private async addLookupReaders(set: number): Promise<void> {
    const norm = this.tensors.get("blk.0.attn_norm.weight")!;
    const gains = this.floats(norm, await norm.read(0, 1)).slice();
    for (const name of STAGES[0]!.matrices) {
      for await (const { floats } of this.rows(this.tensors.get(`blk.0.${name}.weight`)!)) {
        this.compensator.add(
          floats.map((value, i) => value * gains[i % gains.length]!),
          set,
        );
      }
    }
  }

  /** Goes over all batches of the text: four times a layer, and once for the LM head. */
  private async pass(visit: (batch: number) => void): Promise<void> {
    const { options, wanted } = this;
    const count = wanted.batches.length;
    const totalBytes = options.text.length * (STAGES.length * wanted.model.layers + 1);
    for (let i = 0; i < count; i++) {
      await this.pace.yield();
      visit(i);
      this.doneBytes += options.text.length / count;
      options.onProgress?.({ doneBytes: Math.round(this.doneBytes), totalBytes });
    }
  }

  /** A matrix in pieces. The floats are valid until the next are asked for. */
  private async *rows(tensor: SourceTensor): AsyncIterable<{ row: number; floats: Float32Array }> {
    for await (const { row, bytes } of readRows(tensor)) {
      await this.pace.yield();
      yield { row, floats: this.floats(tensor, bytes) };
    }
  }

  private floats({ type }: SourceTensor, bytes: Uint8Array): Float32Array {
    return this.options.quantizer.floats(type, bytes, bytes.length / typeBytes(type, 1)!);
  }
}

/** Sum of p (1 - p) over each cluster's tokens, f32[clusters], from logits[vocabulary]. */
function curvature(logits: Float32Array, groups: Uint8Array, clusters: number): Float32Array {
  let most = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > most) most = logit;
  const powers = logits.map((logit) => Math.exp(logit - most));
  let total = 0;
  for (const power of powers) total += power;
  const sums = new Float32Array(clusters);
  for (let i = 0; i < powers.length; i++) {
    const p = powers[i]! / total;
    sums[groups[i]!]! += p * (1 - p);
  }
  return sums;
}
