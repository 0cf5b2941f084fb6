// What the library does not export, of its sources, for programs that are no tests.

import { build } from "esbuild";

/** The grammar package, and the harness of its tests. */
export async function sources() {
  const contents = `export * from "../../host/core/grammar/index.js";
    export { buildVocabulary } from "../../host/core/grammar/vocabulary.js";
    export { Pace } from "../../host/core/engine/pace.js";
    export * as harness from "../host/grammar/grammar_harness.js";`;
  const resolveDir = new URL(".", import.meta.url).pathname;
  const { outputFiles } = await build({ stdin: { contents, resolveDir }, bundle: true, format: "esm", write: false });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
