// Runs the AssemblyScript compiler with the given arguments, and prints the files that it read, one a line.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { main } from "assemblyscript/asc";

const read = new Set();
const { error } = await main(process.argv.slice(2), {
  stderr: process.stderr,
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
