// A build skips what did not change, and nothing else.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Records } from "../../../host/build/records.mjs";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
let directory: string;
const path = (name: string) => join(directory, name);
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "zagreus-build-"));
  writeFileSync(path("in"), "source");
  writeFileSync(path("out"), "made");
});
afterEach(() => rmSync(directory, { recursive: true }));

const target = { name: "t", settings: () => ["version 1"] };
const LATER = Date.now() + 1e9; // than any file here was saved

/** The records of a build that made "out" of "in". */
function built(started = LATER): Records {
  const records = new Records(path("dist/records.json"));
  records.add(target, started, { inputs: [path("in")], outputs: [path("out")] });
  records.save();
  return new Records(path("dist/records.json"));
}

test("what did not change is fresh", () => {
  expect(new Records(path("none.json")).isFresh(target)).toBe(false);
  expect(built().isFresh(target)).toBe(true);
  writeFileSync(path("in"), "source"); // saved again
  expect(built().isFresh(target)).toBe(true);
});

test.each([
  ["another input", () => writeFileSync(path("in"), "changed")],
  ["no input", () => rmSync(path("in"))],
  ["another output", () => writeFileSync(path("out"), "changed")],
  ["no output", () => rmSync(path("out"))],
])("%s is not", (_, change) => {
  const records = built();
  change();
  expect(records.isFresh(target)).toBe(false);
});

test("nor are other settings, nor a source that was saved during the build", () => {
  expect(built().isFresh({ ...target, settings: () => ["version 2"] })).toBe(false);
  expect(built(Date.now() - 60_000).isFresh(target)).toBe(false);
});

test("what a target no longer makes is removed", () => {
  const records = built();
  writeFileSync(path("other"), "made");
  records.add(target, LATER, { inputs: [path("in")], outputs: [path("other")] });
  expect(existsSync(path("out"))).toBe(false);
  expect(records.isFresh(target)).toBe(true);
});

test("a target that does not exist is refused in one sentence", () => {
  const { status, stderr } = spawnSync(process.execPath, ["host/build/build.mjs", "ts", "cores"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(/^build: there is no target cores; there are core, .*\n$/);
});
