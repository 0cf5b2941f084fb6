// A bar on standard error while bytes come or go, if that is a terminal.

import { Presets, SingleBar } from "cli-progress";

export interface ProgressBar {
  update?: (progress: { loadedBytes: number; totalBytes?: number | undefined }) => void;
  stop(): void;
}

/** @param doing what it says before the bar */
export function progressBar(doing = "loading"): ProgressBar {
  if (!process.stderr.isTTY) return { stop() {} };
  const bar = new SingleBar(
    { format: `${doing} {bar} {percentage}% of {megabytes} MB`, stream: process.stderr, clearOnComplete: true },
    Presets.shades_classic,
  );
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

export interface WindowBar {
  /** @param estimate what the windows so far say */
  update(done: number, estimate: string): void;
  stop(): void;
}

/** A bar on standard error over the windows of a text; a line for each where that is no terminal, unless it is to be quiet. */
export function windowBar(total: number, quiet: boolean): WindowBar {
  if (!process.stderr.isTTY) {
    const update = (done: number, estimate: string) => process.stderr.write(`window ${done}/${total}: ${estimate}\n`);
    return { update: quiet ? () => {} : update, stop() {} };
  }
  const bar = new SingleBar(
    {
      format: "window {value}/{total} {bar} {estimate}, {eta_formatted} left",
      stream: process.stderr,
      clearOnComplete: true,
    },
    Presets.shades_classic,
  );
  bar.start(total, 0, { estimate: "" });
  return { update: (done, estimate) => bar.update(done, { estimate }), stop: () => bar.stop() };
}
