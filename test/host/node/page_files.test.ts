// Pages in a folder of the file system: whole or not there, whatever ends the process, and for nobody else's eyes.

import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bundledModel, load } from "zagreus-edge";
import { pageFiles } from "../../../host/node/files/page_files";
import { caught, GREEDY, loadNano } from "../../support/nano";

const nameOf = (i: number) => `${String(i).padStart(64, "0")}.kv`;
const LONG = Array.from({ length: 100 }, (_, i) => 300 + ((i * i * 31) % 7000));

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "page-files-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("files of this user alone, in a folder that is made when there is something to write", async () => {
  const folder = join(root, "a", "b");
  const files = await pageFiles(folder);
  expect(await files.list().catch(() => [])).toEqual([]);
  expect(await files.read(nameOf(0), 10)).toBeUndefined();
  expect(await files.touch(nameOf(0), 1e12)).toBe(false);
  await files.remove(nameOf(0));
  expect(readdirSync(root)).toEqual([]);

  await files.write(nameOf(0), Uint8Array.of(1, 2, 3));
  await files.write(nameOf(0), Uint8Array.of(4, 5, 6, 7));
  if (process.platform !== "win32") {
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, nameOf(0))).mode & 0o777).toBe(0o600);
  }
  expect(await files.touch(nameOf(0), 1e12)).toBe(true);
  writeFileSync(join(folder, "notes.txt"), "mine");
  expect(await files.list()).toEqual([{ name: nameOf(0), bytes: 4, used: 1e12 }]);
  expect([await files.read(nameOf(0), 2), await files.read(nameOf(0), 9)]).toEqual([
    Uint8Array.of(4, 5),
    Uint8Array.of(4, 5, 6, 7),
  ]);
  await files.remove(nameOf(0));
  expect(readdirSync(folder)).toEqual(["notes.txt"]);
});

test("killed at any write: the next one finds pages that are whole, and removes the rest", async () => {
  const script = `
    import fs from "node:fs/promises";
    import { syncBuiltinESMExports } from "node:module";
    let left = Number(process.argv[2]);
    for (const name of ["mkdir", "writeFile", "rename", "utimes"]) {
      const real = fs[name];
      fs[name] = async (path, ...rest) => {
        if (left-- > 0) return real(path, ...rest);
        if (name === "writeFile") await real(path, rest[0].subarray(0, 5000), rest[1]); // torn
        process.kill(process.pid, "SIGKILL");
        await new Promise(() => {});
      };
    }
    syncBuiltinESMExports();
    const { bundledModel, load } = await import(${JSON.stringify(new URL("../../../dist/index.js", import.meta.url).href)});
    const model = await load(bundledModel, { promptCache: { folder: process.argv[1] } });
    await model.complete(${JSON.stringify(LONG)}, { maxTokens: 1 }).text();
    while (model.stats().promptCache.storedTokens < 96) await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setTimeout(resolve, 50));`;
  const model = await loadNano();
  const options = { ...GREEDY, maxTokens: 6 };
  const expected = await model.complete(LONG, options).text();
  model.close();
  const counts = new Set<number>();
  for (let calls = 0; ; calls++) {
    const folder = join(root, String(calls));
    const args = ["--input-type=module", "-e", script, folder, String(calls)];
    const failure = await promisify(execFile)(process.execPath, args).then(
      () => undefined,
      (error) => error,
    );
    if (failure) expect(failure).toMatchObject({ signal: "SIGKILL", stderr: "" });
    const next = await loadNano({ promptCache: { folder } });
    const completion = next.complete(LONG, options);
    expect(await completion.text()).toBe(expected);
    const { reusedTokens } = completion.usage!;
    counts.add(reusedTokens);
    const names = () => (existsSync(folder) ? readdirSync(folder) : []);
    const pages = () => names().filter((name) => name.endsWith(".kv"));
    while (pages().length < 3 || names().length > 3) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(next.stats().promptCache?.rejectedPages).toBe(0);
    next.close();
    if (!failure) break;
  }
  expect([...counts]).toEqual(expect.arrayContaining([0, 96]));
  expect(counts.size).toBeGreaterThan(2);
});

test("threads, in this thread or in another: the same pages; what is no folder costs one line", async () => {
  const folder = join(root, "prompts");
  const opened = [
    () => loadNano({ threads: 1, promptCache: { folder } }),
    () => loadNano({ threads: 2, promptCache: { folder } }),
    () => load(bundledModel, { offload: true, promptCache: { folder } }),
  ];
  for (const [i, open] of opened.entries()) {
    const model = await open();
    const completion = model.complete(LONG, { ...GREEDY, maxTokens: 6 });
    await completion.text();
    expect(completion.usage?.reusedTokens).toBe(i === 0 ? 0 : 96);
    while (i === 0 && (await model.stats()).promptCache?.storedTokens !== 96)
      await new Promise((resolve) => setTimeout(resolve, 1));
    model.close();
  }
  const page = readFileSync(join(folder, readdirSync(folder)[0]!));
  writeFileSync(join(root, "file"), page);
  const model = await loadNano({ promptCache: { folder: join(root, "file") } });
  const said: unknown[] = [];
  const { warn } = console;
  console.warn = (line) => said.push(line);
  try {
    for (const _ of [1, 2]) await model.complete(LONG, { maxTokens: 1 }).text();
    while (model.stats().promptCache?.writes) await new Promise((resolve) => setTimeout(resolve, 1));
  } finally {
    console.warn = warn;
    model.close();
  }
  expect(said).toEqual([expect.stringMatching(/^zagreus: prompts are not written to the disk any more: E/)]);
});

test("promptCache is checked", async () => {
  for (const promptCache of ["x", { folder: 3 }, { bytes: 0 }, { bytes: 1.5 }, { size: 1 }]) {
    const error = await caught(loadNano({ promptCache: promptCache as never }));
    expect(error).toMatchObject({ code: "INVALID_OPTION" });
  }
});
