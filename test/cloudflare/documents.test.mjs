// The library page's program for Workers.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { blocksOf, withoutTypes } from "../frameworks/blocks.mjs";
import { workerd } from "./workerd.mjs";

test("the library page's program loads the model, and a Worker answers with its response", async () => {
  const program = blocksOf("docs/library.md").find(({ code }) => code.includes("zagreus-edge/cloudflare-workers"));
  const [imports, ...rest] = withoutTypes(program.code).split("\n");
  const folder = mkdtempSync(join(tmpdir(), "zagreus-worker-"));
  const entry = join(folder, "worker.js");
  writeFileSync(
    entry,
    `${imports}
    export default {
      async fetch(request, env) {
        ${rest.join("\n")}
        return model.complete("C'era una volta", { maxTokens: 8, temperature: 0 }).toResponse();
      },
    };`,
  );
  const worker = await workerd(entry);
  await worker.bucket.put("model.gguf", worker.bytes);
  const response = await worker.miniflare.dispatchFetch("http://worker/");
  const text = await response.text();
  await worker.dispose();
  rmSync(folder, { recursive: true });
  expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(text.length).toBeGreaterThan(5);
});
