// The parent's side of an engine's process (engines/serve.mjs).

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/**
 * Starts an engine.
 * @param {string[]} command program and arguments
 * @returns {{pid: number | undefined, call: (command: string, options?: object) => Promise<any>, stop: () => Promise<void>}} call() fails with the engine's
 *   error or when it ends
 */
export function startEngine([program, ...args]) {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.once("close", resolve));
  let waiting;
  let errors = "";
  child.stderr.on("data", (data) => {
    errors = `${errors}${data}`.slice(-2000);
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (!/^\{"(reply|error)":/.test(line)) return; // an engine's own chatter
    const { reply, error } = JSON.parse(line);
    if (error) waiting?.reject(new Error(error));
    else waiting?.resolve(reply);
  });
  child.once("error", (error) => waiting?.reject(error));
  child.stdin.on("error", (error) => waiting?.reject(error));
  ended.then((code) => waiting?.reject(new Error(`ended with ${code}: ${errors.trim()}`)));

  return {
    pid: child.pid,
    call(command, options = {}) {
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        child.stdin.write(`${JSON.stringify({ command, options })}\n`);
      });
    },
    async stop() {
      child.stdin.end();
      const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
      await ended;
      clearTimeout(timer);
    },
  };
}
