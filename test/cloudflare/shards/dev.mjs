// npm run dev:workers [-- MODEL --context N --shards N --once]: a model in parts in workerd, with all Workers that `zagreus shard` writes, and a completion of it.
// Default: a generated model of 0.4B, which knows nothing. It serves until it is interrupted, with --once until the completion's end.

import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { writeFullsize } from "../../support/models/fullsize.mjs";
import { here } from "../workerd.mjs";
import { cluster, KEY } from "./cluster.mjs";

const FULL = here("../.cache/fullsize-q4_0-4096-1.gguf");
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { once: { type: "boolean" }, shards: { type: "string" }, context: { type: "string" } },
});
const [given] = positionals;
if (!given && !existsSync(FULL)) writeFullsize({ type: "q4_0", out: FULL });

const { once, ...rest } = values;
const flags = Object.entries(rest).flatMap(([name, value]) => [`--${name}`, value]);
const { plan, url, post, dispose } = await cluster(given ?? FULL, { flags, port: once ? 0 : 8787 });
for (const { layers, total } of plan.parts)
  console.error(`${layers ? `layers ${layers[0]} to ${layers[1] - 1}` : "edge"}: ${total.toLocaleString("en")} bytes`);

const begun = performance.now();
const response = await post("/v1/completions", {
  prompt: "C'era una volta",
  max_tokens: 64,
  temperature: 0,
  stream: true,
});
let first;
let tokens = 0;
let unread = "";
for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
  const events = (unread + text).split("\n\n");
  unread = events.pop();
  for (const event of events) {
    const data = event.replace(/^data: /, "");
    if (!data.startsWith("{")) continue;
    const { choices, error } = JSON.parse(data);
    if (error) throw new Error(error.message);
    first ??= performance.now();
    tokens++;
    process.stdout.write(choices[0].text);
  }
}
const ms = (from, to) => Math.round(to - from);
const perToken = ((performance.now() - first) / (tokens - 1)).toFixed(1);
console.error(`\n${tokens} pieces: the first after ${ms(begun, first)} ms, which loads, then ${perToken} ms each`);
if (once) await dispose();
else {
  console.error(
    `curl ${url}v1/completions -H "authorization: Bearer ${KEY}" -H "content-type: application/json" -d '{"prompt": "Nel mezzo"}'`,
  );
  process.once("SIGINT", () => dispose().then(() => process.exit()));
}
