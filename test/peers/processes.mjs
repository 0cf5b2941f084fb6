// Who uses the processors, from /proc (Linux).

import { readdirSync, readFileSync } from "node:fs";

const TICK_MS = 10;

/** Processes started by `ancestor`, and by those. */
export function descendants(ancestor) {
  const all = snapshot();
  const below = (pid) =>
    all.filter(({ parent }) => parent === pid).flatMap((child) => [child.pid, ...below(child.pid)]);
  return below(ancestor);
}

/** Starts a watch; call the result for the number of processors that all but `pid` and its children kept busy since. */
export function watchOthers(pid) {
  const start = performance.now();
  const busy = busyMs();
  const own = treeMs(pid);
  return () => Math.max(0, (busyMs() - busy - (treeMs(pid) - own)) / (performance.now() - start));
}

/** Time of all processors, that of which the hypervisor robbed us included. */
function busyMs() {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync("/proc/stat", "utf8").match(/\d+/g).map(Number);
  return TICK_MS * (user + nice + system + irq + softirq + steal);
}

function treeMs(root) {
  const tree = new Set([root, ...descendants(root)]);
  return snapshot()
    .filter(({ pid }) => tree.has(pid))
    .reduce((sum, { ticks }) => sum + TICK_MS * ticks, 0);
}

function snapshot() {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const fields = readFileSync(`/proc/${name}/stat`, "utf8").split(") ").at(-1).split(" ");
        const ticks = fields.slice(11, 15).reduce((sum, text) => sum + Number(text), 0);
        return [{ pid: Number(name), parent: Number(fields[1]), ticks }];
      } catch {
        return []; // it has ended
      }
    });
}
