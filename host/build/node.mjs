// Runs a script of the build in a process of its own.

import { execFile } from "node:child_process";

/** Runs a script in Node; resolves with what it prints, rejects with what it reported. */
export function node(script, ...args) {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script, ...args], { maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error) return reject(new Error(`${stdout}${stderr}`.trim() || error.message));
      process.stderr.write(stderr);
      resolve(stdout);
    });
  });
}
