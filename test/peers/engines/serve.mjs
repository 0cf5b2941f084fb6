// An engine is a child process that obeys one command at a time: a line of JSON in, a line of JSON out. It does nothing in between,
// so many can stay loaded while one is measured.

import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";

/**
 * Obeys commands from stdin until it ends.
 * @param {Record<string, (options: any) => unknown>} commands
 */
export async function serve(commands) {
  const all = { open() {}, ...commands }; // open: it is ready for commands
  for await (const line of createInterface({ input: process.stdin })) {
    const { command, options } = JSON.parse(line);
    let reply;
    try {
      reply = { reply: (await all[command](options)) ?? null };
    } catch (error) {
      reply = { error: String(error?.stack ?? error) };
    }
    process.stdout.write(`${JSON.stringify(reply)}\n`);
  }
  process.exit(0);
}

/** Highest resident set of a process so far, in bytes (Linux). */
export function peakRss(pid = process.pid) {
  return 1024 * Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
