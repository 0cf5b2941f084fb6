// Measures the tokenizer beside @huggingface/tokenizers on the Llama-3 vocabulary:  node test/bench/tokenizer.mjs

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Tokenizer } from "@huggingface/tokenizers";
import { build } from "esbuild";

// Inside the tree, so that what is not bundled is found.
const directory = mkdtempSync(join("test", ".tokenizer-"));
let harness;
try {
  const outfile = join(directory, "harness.mjs");
  await build({
    entryPoints: ["test/assembly/tokenizer/tokenizer_harness.ts"],
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    outfile,
    logLevel: "error",
  });
  harness = await import(pathToFileURL(outfile).href);
} finally {
  rmSync(directory, { recursive: true });
}

const { TokenizerHarness, compileTokenizer, llamaJson, vocabularyOf } = harness;
const text = readFileSync("test/fixtures/text/held-ita.txt");
const json = llamaJson();
const vocabulary = vocabularyOf(json);
const { module } = await compileTokenizer();

/** Megabytes per second of the fastest of a few rounds. */
function throughput(rounds, encode) {
  let best = Infinity;
  for (let i = 0; i < rounds; i++) {
    const started = performance.now();
    encode();
    best = Math.min(best, performance.now() - started);
  }
  return text.length / 1e3 / best;
}

const builds = [];
let ours;
for (let i = 0; i < 5; i++) {
  ours = new TokenizerHarness(module, vocabulary);
  builds.push(ours.buildMilliseconds);
}
const first = throughput(1, () => ours.encode(text));
const speed = throughput(100, () => ours.encode(text));

const string = text.toString();
const started = performance.now();
const theirs = new Tokenizer(json, {});
const theirBuild = performance.now() - started;
const theirSpeed = throughput(3, () => {
  theirs.model.clear_cache();
  theirs.encode(string);
});

console.log(`zagreus-edge            build ${builds.map((ms) => ms.toFixed(0)).join(", ")} ms (the first is cold)`);
console.log(`                        section ${(ours.sectionBytes / 1e6).toFixed(2)} MB`);
console.log(`                        encode ${speed.toFixed(1)} MB/s (first time ${first.toFixed(1)})`);
console.log(`@huggingface/tokenizers build ${theirBuild.toFixed(0)} ms, without parsing the JSON`);
console.log(`                        encode ${theirSpeed.toFixed(2)} MB/s`);
