// Cuts a model so that every part fits into an isolate. Bytes of linear memory are the core's own plan, to the byte.

import { stat } from "node:fs/promises";
import type { KvType, ModelInfo } from "../../core/api/api.js";
import { invalidOption, ZagreusError } from "../../core/api/errors.js";
import { cutLayers, ownerOf } from "../../core/shard/cut.js";
import { inspectPart } from "../../core/shard/inspect_part.js";
import type { ShardOptions } from "../../core/shard/options.js";
import { fileAt } from "../files/package_files.js";
import { node } from "../platform.js";
import type { Source } from "../source.js";

/** What V8 has for JavaScript and machine code after a load in workerd: test/cloudflare/memory.test.mjs measures it. */
export const JAVASCRIPT_BYTES = 7e6;
/** The same for the edge, which has the server: test/cloudflare/shards measures it. */
export const EDGE_JAVASCRIPT_BYTES = 15e6;

export interface PlanOptions {
  /** Shards with layers, beside the edge. Default: as few as fit. */
  shards?: number | undefined;
  contextLength: number;
  /** Sequences at once, each with pages for its whole context. */
  sequences: number;
  kvType: KvType;
  /** Bytes that a part may have: linear memory, the core's code, and what JavaScript takes. */
  budget: number;
  signal?: AbortSignal | undefined;
}

export interface PlannedPart {
  /** Layers first..end - 1; absent for the edge. */
  layers?: [first: number, end: number];
  /** Of linear memory. */
  memory: number;
  /** With the core's code and JavaScript. */
  total: number;
  /** Of memory, for pages besides those of one context. */
  cacheBudget: number;
}

export interface ShardsPlan {
  info: ModelInfo;
  /** The edge, then the shards in the order of their layers. */
  parts: PlannedPart[];
}

/** @throws ZagreusError OVER_BUDGET with figures where no cut fits, INVALID_OPTION, and what is wrong with the file */
export async function planShards(source: Source, options: PlanOptions): Promise<ShardsPlan> {
  const { shards, budget } = options;
  const planner = await Planner.of(source, options);
  const { layers } = planner.info;
  if (shards !== undefined && (shards < 1 || shards > layers))
    throw invalidOption("shards", shards, `an integer from 1 to ${layers}, the model's layers`);
  if (planner.edge.total > budget) {
    const hint = "; `zagreus trim` leaves away tokens that your texts do not need";
    throw overBudget(
      `the edge, with a vocabulary of ${figure(planner.info.vocabulary)} tokens,`,
      planner.edge,
      budget,
      hint,
    );
  }
  for (let count = shards ?? planner.least(); ; count++) {
    const parts = await planner.cut(count);
    const largest = largestOf(parts);
    if (largest.total <= budget) {
      if (shards === undefined || count === shards) return { info: planner.info, parts: [planner.edge, ...parts] };
      const first = largestOf(await planner.cut(shards));
      throw overBudget(`of ${shards} shards, layers ${named(first)}`, first, budget, `; ${count} shards would do`);
    }
    if (count === layers)
      throw overBudget(`layer ${named(largest)} alone`, largest, budget, "; a shorter context takes less");
  }
}

class Planner {
  readonly info: ModelInfo;
  readonly edge: PlannedPart;
  readonly #source: Source;
  readonly #options: PlanOptions;
  readonly #codeBytes: number;
  /** By layer: weights in the file, and pages. */
  readonly #costs: readonly number[];
  /** Bytes of a layer's pages of one context. */
  readonly #pages: number;

  private constructor(source: Source, options: PlanOptions, info: ModelInfo, codeBytes: number, pages: number) {
    this.info = info;
    this.#source = source;
    this.#options = options;
    this.#codeBytes = codeBytes;
    this.#pages = pages;
    this.edge = this.#part(info, 0, EDGE_JAVASCRIPT_BYTES);
    const costs = Array.from({ length: info.layers }, () => pages * options.sequences);
    for (const { name, bytes } of info.tensors) {
      const owner = ownerOf(name);
      if (typeof owner === "number") costs[owner]! += bytes;
    }
    this.#costs = costs;
  }

  static async of(source: Source, options: PlanOptions): Promise<Planner> {
    const asked = loadOptions(options);
    const core = fileAt(() => new URL("./zagreus-relaxed.wasm", import.meta.url), "zagreus-relaxed.wasm"); // the largest there is
    const { size } = await stat(core);
    const first = await inspect(source, { ...asked, layers: [0, 1], cacheBudget: 0 });
    return new Planner(source, options, await inspect(source, asked), size, first.plan.kvCache);
  }

  /** So many shards at least. */
  least(): number {
    const sum = this.#costs.reduce((total, cost) => total + cost, 0);
    return Math.max(1, Math.min(Math.floor(sum / this.#options.budget), this.info.layers));
  }

  async cut(count: number): Promise<PlannedPart[]> {
    const parts: PlannedPart[] = [];
    let first = 0;
    for (const end of cutLayers(this.#costs, count)) {
      const cacheBudget = (this.#options.sequences - 1) * (end - first) * this.#pages;
      const layers: [number, number] = [first, end];
      const info = await inspect(this.#source, { ...loadOptions(this.#options), layers, cacheBudget });
      parts.push({ layers, ...this.#part(info, cacheBudget) });
      first = end;
    }
    return parts;
  }

  #part({ plan: { memory } }: ModelInfo, cacheBudget: number, javascript = JAVASCRIPT_BYTES): PlannedPart {
    return { memory, total: memory + this.#codeBytes + javascript, cacheBudget };
  }
}

function loadOptions({ contextLength, sequences, kvType, signal }: PlanOptions) {
  return { contextLength, sequences, kvType, signal, build: "simd" } as const;
}

const inspect = (source: Source, options: Partial<ShardOptions>) =>
  inspectPart((checked) => node.open(source, checked), node, options);

const largestOf = (parts: readonly PlannedPart[]) => parts.reduce((a, b) => (b.total > a.total ? b : a));
const figure = (value: number) => value.toLocaleString("en-US");
const named = ({ layers }: PlannedPart) =>
  layers![1] - layers![0] === 1 ? `${layers![0]}` : `${layers![0]} to ${layers![1] - 1}`;

function overBudget(what: string, { total, memory }: PlannedPart, budget: number, hint: string): ZagreusError {
  const message = `${what} needs ${figure(total)} bytes (memory ${figure(memory)}, JavaScript and code ${figure(total - memory)}), the budget is ${figure(budget)}${hint}`;
  return new ZagreusError("OVER_BUDGET", message, { field: "budget", value: total, expected: budget });
}
