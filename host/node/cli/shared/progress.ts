// A bar on standard error while bytes come or go, if that is a terminal.

import { Presets, SingleBar } from "cli-progress";
import { printable } from "../../../core/api/printable.js";
import type { LoadProgress, PrefillProgress } from "../../index.js";

export interface ProgressBar {
  update?: (progress: { loadedBytes: number; totalBytes?: number | undefined }) => void;
  stop(): void;
}

/** @param doing what it says before the bar */
export function progressBar(doing = "loading"): ProgressBar {
  if (!process.stderr.isTTY) return { stop() {} };
  const bar = barOf(`${doing} {bar} {percentage}% of {megabytes} MB`);
  let started = false;
  return {
    update({ loadedBytes, totalBytes }) {
      if (totalBytes === undefined) return;
      if (!started) bar.start(totalBytes, 0, { megabytes: (totalBytes / 1e6).toFixed(0) });
      started = true;
      bar.update(loadedBytes);
    },
    stop: () => bar.stop(),
  };
}

/** What each phase of making a model ready is called. */
export const PHASE_TEXTS = {
  download: "downloading",
  calibrate: "calibrating",
  quantize: "quantizing",
  header: "loading",
  weights: "loading",
} satisfies Record<LoadProgress["phase"], string>;

/** And of what is done with one. */
const MORE_TEXTS = { count: "counting", write: "writing" };
const DOING = { ...PHASE_TEXTS, ...MORE_TEXTS };

/** A bar that says which phase it shows, for load() and what comes before it, and for trim(). */
export function phaseBar() {
  let doing: string | undefined;
  let bar: ProgressBar | undefined;
  const stop = () => bar?.stop();
  return {
    update(progress: Omit<LoadProgress, "phase"> & { phase: keyof typeof DOING }): void {
      if (doing !== DOING[progress.phase]) {
        stop();
        doing = DOING[progress.phase];
        bar = progressBar(doing);
      }
      bar?.update?.(progress);
    },
    stop,
  };
}

/** Time that a prompt may take without a bar. */
const PATIENCE_MS = 300;

/** A bar while a long prompt is read: what onPrefill wants. */
export function prefillBar() {
  if (!process.stderr.isTTY) return { onPrefill: undefined, stop() {} };
  const bar = barOf("reading {bar} {value}/{total} tokens");
  const begun = performance.now();
  return {
    onPrefill({ done, total, reused }: PrefillProgress): void {
      if (!bar.isActive && done < total && performance.now() - begun > PATIENCE_MS) bar.start(total, reused);
      if (bar.isActive) bar.update(done);
      if (done === total) bar.stop();
    },
    stop: () => bar.stop(),
  };
}

export interface CountBar {
  /** @param estimate what those that are done say */
  update(done: number, estimate: string): void;
  stop(): void;
}

/** Lines at most where there is no terminal, or things from one to the next where their number is not known. */
const LINES = 100;

/**
 * A bar on standard error over things that are measured, such as the windows of a text; where that is no terminal a line for each, or
 * for every hundredth of many, unless it is to be quiet.
 * @param what one of them is called
 * @param total undefined where it is not known
 */
export function countBar(what: string, total: number | undefined, quiet: boolean): CountBar {
  const of = total === undefined ? "" : `/${total}`;
  if (!process.stderr.isTTY) {
    const step = total === undefined ? LINES : Math.ceil(total / LINES);
    const update = (done: number, estimate: string) => {
      if (done % step === 0 || done === total)
        process.stderr.write(`${printable(`${what} ${done}${of}: ${estimate}`)}\n`);
    };
    return { update: quiet ? () => {} : update, stop() {} };
  }
  const rest = total === undefined ? " {estimate}" : "{bar} {estimate}, {eta_formatted} left";
  const bar = barOf(`${what} {value}${of} ${rest}`);
  bar.start(total ?? 0, 0, { estimate: "" });
  return { update: (done, estimate) => bar.update(done, { estimate }), stop: () => bar.stop() };
}

const barOf = (format: string) =>
  new SingleBar({ format, stream: process.stderr, clearOnComplete: true }, Presets.shades_classic);
