// A bar on standard error while a model loads, if that is a terminal.

import { Presets, SingleBar } from "cli-progress";
import type { LoadProgress } from "../index.js";

export interface ProgressBar {
  update?: (progress: LoadProgress) => void;
  stop(): void;
}

export function progressBar(): ProgressBar {
  if (!process.stderr.isTTY) return { stop() {} };
  const bar = new SingleBar(
    { format: "loading {bar} {percentage}% of {megabytes} MB", stream: process.stderr, clearOnComplete: true },
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
