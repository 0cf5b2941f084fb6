// The built command and library with models of the hub.

import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CLI, finish } from "../../support/command";
import { type HubServer, oidOf, sha256, startHub } from "../../support/hub_server";

const LIBRARY = new URL("../../../dist/index.js", import.meta.url).href;
const fixture = (path: string) => readFileSync(new URL(`../../fixtures/${path}`, import.meta.url));
const NANO = fixture("models/zagreus-nano-Q4_0.gguf");
const FILE = { path: "zagreus-nano-Q4_0.gguf", bytes: NANO, lfs: true };
const HF = new URL("../../fixtures/zagreus-nano-hf/", import.meta.url);
const COMMIT = "b".repeat(40);
const ID = "hf:mii-llm/nano";

let hub: HubServer;
let home: string;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "zagreus-hub-"));
  hub = await startHub([
    { name: "mii-llm/nano", commit: COMMIT, files: [FILE, { path: "README.md", bytes: Buffer.from("#") }] },
    { name: "mii-llm/zagreus-0.4B-ita", commit: COMMIT, files: [FILE] },
    {
      name: "mii-llm/checkpoint",
      commit: COMMIT,
      files: readdirSync(HF).map((path) => ({ path, bytes: readFileSync(new URL(path, HF)), lfs: true })),
    },
  ]);
});
afterEach(async () => {
  await hub.close();
  rmSync(home, { recursive: true, force: true });
});

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const kept = Object.entries(process.env).filter(([name]) => !/^(HF_|HUGGING|XDG_)/.test(name));
  const all = { ...Object.fromEntries(kept), HF_HOME: home, HF_ENDPOINT: hub.endpoint, ...env };
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], env: all });
}

const zagreus = (args: readonly string[], env?: Record<string, string>) => finish(start([CLI, ...args], env));

async function json(args: readonly string[], env?: Record<string, string>) {
  const { code, stdout, stderr } = await zagreus([...args, "--json"], env);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

const path = join("snapshots", COMMIT, FILE.path);

test("pull", async () => {
  const expected = join(home, "hub", "models--mii-llm--nano", path);
  const result = await json(["pull", ID]);
  expect(result).toEqual({
    path: expected,
    bytes: NANO.length,
    sha256: sha256(NANO),
    files: [{ path: FILE.path, bytes: NANO.length, sha256: sha256(NANO) }],
  });
  expect(readFileSync(expected).equals(NANO)).toBe(true);
  expect(await json(["pull", `${ID}@main/${FILE.path}`])).toEqual(result);
  expect(await json(["pull", ID], { HF_HUB_OFFLINE: "1" })).toEqual(result);
  const shown = await zagreus(["pull", ID]);
  expect(shown.stdout).toBe(`${expected}\n${NANO.length.toLocaleString("en-US")} bytes, SHA-256 ${sha256(NANO)}\n`);
});

test("pull --list", async () => {
  expect(await json(["pull", ID, "--list"])).toEqual({
    repository: "mii-llm/nano",
    commit: COMMIT,
    files: [
      { path: FILE.path, bytes: NANO.length, type: "Q4_0", chosen: true },
      { path: "README.md", bytes: 1, chosen: false },
    ],
  });
  const { stdout } = await zagreus(["pull", ID, "--list"]);
  expect(stdout).toContain(`* ${FILE.path}, `);
  expect(existsSync(join(home, "hub"))).toBe(false);
});

test("models of the hub wherever a model is taken, and short names", async () => {
  const args = ["complete", "C'era una volta", "-n", "4", "--temp", "0"];
  const local = await json([
    ...args,
    "-m",
    fileURLToPath(new URL("../../fixtures/models/zagreus-nano-Q4_0.gguf", import.meta.url)),
  ]);
  for (const model of [ID, `${ID}/${FILE.path}`, "zagreus-ita"]) {
    expect((await json([...args, "-m", model])).tokens).toEqual(local.tokens);
  }
  expect((await json(["inspect", "hf:zagreus-ita"], { HF_HUB_OFFLINE: "1" })).metadata["general.architecture"]).toBe(
    "llama",
  );
});

test("load() takes them too, reports the download and throws this package's errors", async () => {
  const script = `
    import { load, ZagreusError } from ${JSON.stringify(LIBRARY)};
    const phases = new Set();
    const model = await load(${JSON.stringify(ID)}, { onProgress: ({ phase }) => phase !== "header" && phases.add(phase) });
    model.close();
    const error = await load("hf:mii-llm/none").catch((error) => error);
    console.log(JSON.stringify([[...phases], error instanceof ZagreusError, error.code]));
  `;
  const { stdout } = await finish(start(["--input-type=module", "-e", script]));
  expect(JSON.parse(stdout)).toEqual([["download", "weights"], true, "HUB_DENIED"]);
});

test("quantize", async () => {
  const out = join(home, "out.gguf");
  const result = await json(["quantize", "hf:mii-llm/checkpoint", "-t", "q4_0", "-o", out]);
  expect(result).toMatchObject({ out, bytes: expect.any(Number) });
  expect((await json(["inspect", out])).metadata["general.name"]).toBe("checkpoint");
});

test("a model with safetensors only is made on the way, in the type that is asked for", async () => {
  const args = ["complete", "C'era una volta", "-n", "4", "--temp", "0", "-m", "hf:mii-llm/checkpoint"];
  const first = await zagreus([...args, "--type", "Q8_0", "--keep-safetensors"]);
  expect(first.code, first.stderr).toBe(0);
  expect(first.stderr).toMatch(
    /^zagreus: .* safetensors only.*checkpoint-Q8_0\.gguf.*\nzagreus: made checkpoint-Q8_0\.gguf.*s\n$/,
  );
  const { models } = await json(["list"]);
  expect(models.map(({ kind, type }: { kind: string; type?: string }) => [kind, type])).toEqual([
    ["made", "Q8_0"],
    ["safetensors", undefined],
  ]);
  expect(await zagreus([...args, "--type", "q8_0"])).toEqual({ ...first, stderr: "" });
  expect(await json(["show", "hf:mii-llm/checkpoint"])).toMatchObject({ quantization: "Q8_0", path: models[0].path });
  expect(await json(["rm", "hf:mii-llm/checkpoint"])).toEqual({
    repository: "mii-llm/checkpoint",
    bytes: expect.any(Number),
  });
  expect((await json(["list"])).models).toEqual([]);
  expect((await zagreus(["rm", "hf:mii-llm/checkpoint"])).stderr).toContain("is not in the cache");
});

test("a misspelt name and a folder say what may have been meant", async () => {
  expect((await zagreus(["complete", "x", "-m", "nesso-instrukt"])).stderr).toContain("did you mean nesso-instruct?");
  expect((await zagreus(["pull", "zagreus-it"])).stderr).toContain("did you mean zagreus-ita?");
  const folder = await zagreus(["complete", "x", "-m", fileURLToPath(HF)]);
  expect(folder.stderr).toMatch(/is a folder with a checkpoint; zagreus quantize .* makes a model of it\n$/);
});

test("the token file", async () => {
  hub.repositories[0]!.token = "hf_stored";
  expect((await zagreus(["pull", ID])).stderr).toMatch(
    /^zagreus: mii-llm\/nano: 127\.0\.0\.1:\d+ answers 401: .*HF_TOKEN.*\n$/,
  );
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "token"), "hf_stored\n");
  expect((await zagreus(["pull", ID])).code).toBe(0);
  expect((await zagreus(["pull", ID], { HF_TOKEN: "hf_other" })).stderr).toContain("answers 401");
});

test.each([["hf:x"], ["hf:a/../b"], ["zagreus-xyz"], ["hf:a/b@"], []])("wrong usage: pull %s", async (...args) => {
  for (const flags of [[], ["--json"]]) {
    const { code, stdout, stderr } = await zagreus(["pull", ...args, ...flags]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).not.toBe("");
  }
});

test("failures are one line", async () => {
  const { code, stdout, stderr } = await zagreus(["pull", `${ID}/none.gguf`, "--json"]);
  expect({ code, stdout, stderr }).toEqual({
    code: 1,
    stdout: "",
    stderr: 'zagreus: mii-llm/nano has no file "none.gguf"\n',
  });
});

test("Ctrl-C ends with 130 at once, and the next pull goes on", async () => {
  hub.misbehave = ({ host }) => (host === "cdn" ? { stall: 1_000_000 } : undefined);
  const partial = join(home, "hub/models--mii-llm--nano/blobs", `${oidOf(FILE)}.zagreus.incomplete`);
  const child = start([CLI, "pull", ID]);
  const ending = finish(child);
  for (let i = 0; i < 2000 && !(existsSync(partial) && lstatSync(partial).size === 1_000_000); i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const begun = performance.now();
  child.kill("SIGINT");
  expect(await ending).toEqual({ code: 130, stdout: "", stderr: "" });
  expect(performance.now() - begun).toBeLessThan(2000);
  hub.misbehave = () => undefined;
  expect((await json(["pull", ID])).sha256).toBe(sha256(NANO));
  expect(hub.requests.at(-1)?.headers.range).toBe("bytes=1000000-");
});

test("--help says what is chosen and what short names mean", async () => {
  const { code, stdout } = await zagreus(["pull", "--help"]);
  expect(code).toBe(0);
  for (const text of ["Q4_0 > Q8_0", "hf:mii-llm/nesso-0.4B-instruct", "HF_HUB_CACHE"]) expect(stdout).toContain(text);
});
