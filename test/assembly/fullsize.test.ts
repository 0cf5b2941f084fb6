// The core and the published bundle with a model of the true size (test/support/models/fullsize.mjs).

import { closeSync, openSync, readSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  INFO_BOS,
  INFO_HEAD_SIZE,
  INFO_HEADS,
  INFO_HIDDEN,
  INFO_KV_HEADS,
  INFO_LAYERS,
  INFO_MEMORY_BYTES,
  INFO_PARAMETERS,
  INFO_SECTION,
  INFO_TIED,
  INFO_VOCABULARY,
  IO_BYTES,
  KV_INT8,
  SECTION_TOKENIZER,
} from "../../assembly/layout/abi";
import { LOADED } from "../../assembly/layout/status";
import { run } from "../support/child";
import { Core, statusName } from "../support/core";
import { cachedFullsize, type FullsizeType } from "../support/models/fullsize.mjs";
import { VARIANTS } from "../support/variants";

function* piecesOf(path: string): Generator<Uint8Array> {
  const file = openSync(path, "r");
  const piece = new Uint8Array(IO_BYTES);
  try {
    for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) yield piece.subarray(0, read);
  } finally {
    closeSync(file);
  }
}

describe.each(VARIANTS)("full size: $name", (variant) => {
  it.each(["q4_0", "q8_0"] as FullsizeType[])("%s loads and generates", (type) => {
    const core = new Core(variant);
    const path = cachedFullsize(type);
    const start = performance.now();
    const code = core.loadPieces(piecesOf(path), { kvType: KV_INT8 });
    expect(statusName(code), JSON.stringify(core.failure())).toBe(statusName(LOADED));
    const loadMs = performance.now() - start;

    const shape = [INFO_LAYERS, INFO_HIDDEN, INFO_HEADS, INFO_KV_HEADS, INFO_HEAD_SIZE, INFO_VOCABULARY, INFO_TIED];
    expect(shape.map((id) => core.info(id))).toEqual([32, 960, 15, 5, 64, 128256, 1]);
    expect(core.info(INFO_PARAMETERS)).toBe(437_760_960);
    expect(core.info(INFO_SECTION + SECTION_TOKENIZER)).toBeLessThanOrEqual(10e6);

    const before = core.memoryBytes;
    expect(before).toBe(core.info(INFO_MEMORY_BYTES));
    core.sampling({ temperature: 0.8, topP: 0.95 });
    const prompt = [core.info(INFO_BOS), ...core.encode("L'intelligenza artificiale è")];
    core.prefill(prompt);
    let token = core.next(prompt.length - 1);
    const decodeStart = performance.now();
    for (let i = 0; i < 16; i++) {
      core.prefill([token], prompt.length + i);
      token = core.next(0);
      expect(token).toBeLessThan(128256);
    }
    const decodeMs = (performance.now() - decodeStart) / 16;
    expect(core.memoryBytes).toBe(before);
    console.log(
      `${variant.name} ${type}: load ${loadMs.toFixed(0)} ms, ` +
        `decode ${decodeMs.toFixed(1)} ms per token, memory ${(before / 1e6).toFixed(0)} MB`,
    );
  });

  it("q4_0 in the published bundle keeps its memory", async () => {
    const script = fileURLToPath(new URL("../checks/memory.mjs", import.meta.url));
    const result = JSON.parse((await run(process.execPath, [script, "--tokens", "24"])).stdout);
    console.log(`${variant.name}: ${JSON.stringify(result)}`);
    expect(result).toMatchObject({ tokens: 24, memoryConstant: true, peakRssWithinBounds: true });
    expect(result.peakRssBytes).toBeLessThanOrEqual(result.weightBytes + result.kvBytes + 60e6);
  });
});
