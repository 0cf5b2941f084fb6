// The suite in Deno, for an installed package; prints the report. Needs --allow-read for the model, --allow-net for the URL that
// may be passed.

import { bundledModel, load, ZagreusError } from "zagreus-edge";
import { runSuite } from "./suite.mjs";

const [url, offload] = Deno.args;
const report = await runSuite({
  runtime: `Deno ${Deno.version.deno}${offload ? ", offload" : ""}`,
  load,
  ZagreusError,
  bytes: await Deno.readFile(bundledModel),
  sources: { path: () => bundledModel.pathname, URL: () => bundledModel, ...(url ? { http: () => url } : {}) },
  options: offload ? { offload: true } : {},
});
console.log(JSON.stringify(report));
