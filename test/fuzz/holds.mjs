// How long work holds the event loop: processor time of this thread between two turns, so that a busy machine is no finding.

import { readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";

/** Milliseconds of processor time so far. */
export function processorTime() {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]) / 1e6;
  } catch {
    const { user, system } = process.cpuUsage(); // of all threads
    return (user + system) / 1000;
  }
}

/** Runs `work`, and tells `note` the most milliseconds that it held the event loop for. @returns what it gives */
export async function watched(work, note) {
  await turn();
  let longest = 0;
  let last = processorTime();
  let isOver = false;
  const watch = async () => {
    while (!isOver) {
      const now = processorTime();
      longest = Math.max(longest, now - last);
      last = now;
      await turn();
    }
  };
  const watching = watch();
  try {
    return await work();
  } finally {
    note(Math.max(longest, processorTime() - last));
    isOver = true;
    await watching;
  }
}
