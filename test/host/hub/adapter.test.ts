// Adapters of the hub, as models are.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { bundledModel, load } from "zagreus-edge";
import { type HubServer, startHub } from "../../support/hub_server";
import { caught } from "../../support/nano";
import { bytesOf } from "../adapters/support";

const FILES = ["adapter_config.json", "adapter_model.safetensors"];
const inFolder = (folder: string) =>
  FILES.map((name) => ({ path: folder + name, bytes: bytesOf(`upper/${name}`), lfs: true }));

let hub: HubServer;
const cache = mkdtempSync(join(tmpdir(), "zagreus-hub-adapter-"));
beforeAll(async () => {
  const gguf = { path: "upper.gguf", bytes: bytesOf("upper-f32.gguf"), lfs: true };
  hub = await startHub([
    { name: "owner/peft", commit: "a".repeat(40), files: inFolder("") },
    { name: "owner/more", commit: "b".repeat(40), files: [...inFolder("upper/"), gguf] },
  ]);
  vi.stubEnv("HF_ENDPOINT", hub.endpoint);
  vi.stubEnv("HF_HUB_CACHE", cache);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  rmSync(cache, { recursive: true });
});

test("folders of PEFT and GGUF files come by their ids, once", async () => {
  using model = await load(bundledModel, { adapters: { slots: 1 }, threads: 1 });
  const hashes: string[] = [];
  for (const id of ["hf:owner/peft", "hf:owner/more/upper", "hf:owner/more/upper.gguf", "hf:owner/peft"]) {
    using adapter = await model.adapter(id);
    expect(adapter.name).toBe(id.endsWith(".gguf") ? "Conv Upper" : id); // the file says so
    hashes.push(adapter.hash);
  }
  expect(new Set(hashes).size).toBe(1);
  expect(await caught(model.adapter("hf:owner/none"))).toMatchObject({ code: expect.stringMatching(/^HUB_/) });
});
