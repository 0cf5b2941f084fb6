// The suite of all runtimes with zagreus-edge/raspberry-pi, given as a file; prints the report.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runSuite } from "../runtimes/suite.mjs";

const { bundledModel, load, ZagreusError } = await import(process.argv[2]);
const report = await runSuite({
  runtime: `Node ${process.versions.node} ${process.arch}`,
  load,
  ZagreusError,
  bytes: new Uint8Array(readFileSync(bundledModel)),
  sources: { path: () => fileURLToPath(bundledModel), URL: () => bundledModel },
});
console.log(JSON.stringify(report));
