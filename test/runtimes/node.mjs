// The suite in Node and Bun, for an installed package; prints the report. A URL of the model may be passed.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundledModel, load, ZagreusError } from "zagreus-edge";
import { runSuite } from "./suite.mjs";

const [url, offload] = process.argv.slice(2);
const runtime = process.versions.bun ? `Bun ${process.versions.bun}` : `Node ${process.versions.node}`;
const report = await runSuite({
  runtime: offload ? `${runtime}, offload` : runtime,
  load,
  ZagreusError,
  bytes: new Uint8Array(readFileSync(bundledModel)),
  sources: { path: () => fileURLToPath(bundledModel), URL: () => bundledModel, ...(url ? { http: () => url } : {}) },
  options: offload ? { offload: true } : {},
});
console.log(JSON.stringify(report));
