// Runs the AssemblyScript compiler with the given arguments, and prints the files that it read, one a line.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { main } from "assemblyscript/asc";

const read = new Set();
const stderr = {
  isTTY: process.stderr.isTTY,
  /** All but that a pass too many was made and thrown away, which sounds like a failure. */
  write(text) {
    if (!text.startsWith("Last converge was suboptimal.")) process.stderr.write(text);
  },
};
const { error } = await main(process.argv.slice(2), {
  stderr,
  readFile(name, directory) {
    try {
      const text = readFileSync(join(directory, name), "utf8");
      read.add(join(directory, name));
      return text;
    } catch {
      return null; // it tries several names
    }
  },
});
if (error) process.exitCode = 1;
else process.stdout.write([...read].map((path) => `${path}\n`).join(""));
