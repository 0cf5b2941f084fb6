// Layers that are not in this core: rows go away and come back, several passes may be under way.

import type { PagesElsewhere } from "../../kv/kv_cache.js";
import type { Segment } from "./job.js";

/** Neighbouring rows of one sequence, and the pages of all its positions up to the last of them. */
export interface RemoteRun {
  position: number;
  count: number;
  pages: readonly number[];
}

/** What travels with the rows of a pass. */
export interface RemoteRows {
  /** The residual stream: f32[rows][hidden]. */
  states: Float32Array;
  /** By row its first activation that was too large, 0: none. */
  overflows: Float32Array;
}

/** ES2024's; absent in Node 20. */
interface Transferable {
  transfer?(length: number): ArrayBuffer;
}

/** Frees a buffer that nobody needs any more: where memory is scarce, garbage counts until it is collected. */
export function free(buffer: ArrayBufferLike): void {
  if (buffer.byteLength > 0) (buffer as unknown as Transferable).transfer?.(0);
}

/** Frees rows that nobody needs any more, and what shares their buffers. */
export function freeRows({ states, overflows }: RemoteRows): void {
  free(states.buffer);
  free(overflows.buffer);
}

export interface LayersElsewhere extends PagesElsewhere {
  /** Passes that may be under way: so many keep all parts of the model busy. */
  readonly depth: number;
  /** Rows of a prompt that travel together at most. */
  readonly rows: number;
  /** Runs all layers, in the order of the calls; the rows are its own from then on. Rejects when nobody answers, or not with what it must be. */
  send(runs: readonly RemoteRun[], rows: RemoteRows): Promise<RemoteRows>;
  /** After a failure: what is sent from now on finds layers whose pages are empty. @throws ZagreusError when it cannot be mended */
  recover(error: unknown): void;
  close(): void;
}

/** A pass that is under way. */
export interface Flight {
  readonly segments: readonly Segment[];
  /** Resolves when it is back. */
  landed: Promise<void>;
  /** Set then. */
  rows?: RemoteRows;
  failure?: { error: unknown };
}

/** Whether a flight is back, or will never be. */
export function hasLanded({ rows, failure }: Flight): boolean {
  return rows !== undefined || failure !== undefined;
}
