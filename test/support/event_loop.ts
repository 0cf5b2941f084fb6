// No test file holds its event loop: vitest's worker must answer within 60 s, also on a machine that is slow or shared.
// So every test is followed by a turn of the loop, and a file fails that held the loop for more than HOLD_LIMIT seconds
// of computing, its own and that of the children it waited for. A long computation yields (turn()) between its parts.

import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeEach, expect } from "vitest";
import { turn } from "./turn";

const HOLD_LIMIT = 5;
const TICK = 20; // ms between two measurements of a loop that is free
const CLOCK_TICKS = 100; // a second, of Linux's USER_HZ

interface Clock {
  /** Seconds that passed, without those in which this thread waited for a core. */
  running: number;
  /** Seconds that the process and the children it waited for computed. */
  computing: number;
}

let last = clock();
let longest = { seconds: 0, by: "" };
let running = "the file before its tests";
const measuring = setInterval(measure, TICK);

function clock(): Clock {
  const { user, system } = process.cpuUsage();
  return {
    running: performance.now() / 1e3 - secondsWaited(),
    computing: (user + system) / 1e6 + secondsOfChildren(),
  };
}

function measure(): void {
  const now = clock();
  const seconds = Math.min(now.running - last.running, now.computing - last.computing);
  if (seconds > longest.seconds) longest = { seconds, by: running };
  last = now;
}

/** Seconds that this thread was ready to run and had no core; 0 where there is no Linux to say it. */
function secondsWaited(): number {
  return Number(linux("/proc/thread-self/schedstat").split(" ")[1] ?? 0) / 1e9;
}

function secondsOfChildren(): number {
  const fields = linux("/proc/self/stat")
    .replace(/^.*\) /, "")
    .split(" "); // from the third on: see proc(5)
  return (Number(fields[13] ?? 0) + Number(fields[14] ?? 0)) / CLOCK_TICKS;
}

function linux(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

beforeEach(({ task }) => {
  measure();
  running = task.name;
});
afterEach(async () => {
  await turn();
  measure();
  running = `what follows ${running}`;
});
afterAll(() => {
  measure();
  clearInterval(measuring);
  const held = `"${longest.by}" held the event loop for ${longest.seconds.toFixed(1)} s`;
  if (process.env.ZAGREUS_HOLDS) process.stderr.write(`HELD ${expect.getState().testPath} ${held}\n`);
  if (longest.seconds > HOLD_LIMIT) throw new Error(`${held}; the most is ${HOLD_LIMIT} s: yield with turn()`);
});
