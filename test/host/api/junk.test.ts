// Every failure is a ZagreusError, whatever the public functions are given.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { bundledModel, load, ZagreusError } from "zagreus-edge";

const JUNK: unknown[] = [
  undefined,
  null,
  true,
  7,
  -1.5,
  Number.NaN,
  10n,
  "",
  "http://[bad/model.gguf",
  "file://other.host/model.gguf",
  "file:///%E0%A4%A",
  "hf:",
  "\0",
  Symbol("junk"),
  [],
  [null],
  {},
  { length: -1 },
  new Map(),
  new Date(Number.NaN),
  () => 1,
  new Uint8Array(3),
  new URL("ftp://host/model.gguf"),
];
/** Values instead of the first argument, and instead of the second behind a first that is right. */
const calls = (right: unknown): unknown[][] => [
  [],
  ...JUNK.map((value) => [value]),
  ...JUNK.map((value) => [right, value]),
];

/** What a call ends with that is no ZagreusError, as text. */
async function offence(name: string, run: () => unknown, args: unknown[]): Promise<string | undefined> {
  try {
    const result = await run();
    if (typeof (result as { text?: unknown })?.text === "function") await (result as { text(): unknown }).text();
    return undefined;
  } catch (error) {
    if (error instanceof ZagreusError) return undefined;
    return `${name}(${args.map((arg) => (typeof arg === "symbol" ? "symbol" : String(JSON.stringify(arg, (_, v) => (typeof v === "bigint" ? `${v}n` : v)))))}): ${error}`;
  }
}

async function offences(owner: Record<string, unknown>, names: readonly string[], right: Record<string, unknown>) {
  const found: (string | undefined)[] = [];
  for (const name of names) {
    const run = owner[name] as (...args: unknown[]) => unknown;
    for (const args of calls(right[name])) found.push(await offence(name, () => run.apply(owner, args), args));
  }
  return found.filter((text) => text !== undefined);
}

const functionsOf = (module: object) =>
  Object.entries(module)
    .filter(([name, value]) => typeof value === "function" && !/^[A-Z]/.test(name))
    .map(([name]) => name);

test("all functions of all entry points", async () => {
  const right = {
    load: bundledModel,
    inspect: bundledModel,
    quantize: "no-such-folder",
    encodeGguf: {},
    openGguf: {},
    openHuggingface: {},
  };
  const entries = ["zagreus-edge", "zagreus-edge/quantize", "zagreus-edge/server", "zagreus-edge/raspberry-pi"];
  const modules = await Promise.all(
    [...entries, new URL("../../../dist/edge-light.js", import.meta.url).href].map((name) => import(name)),
  );
  for (const module of modules) expect(await offences(module, functionsOf(module), right)).toEqual([]);
});

test("all methods of a model and a session", async () => {
  const model = await load(bundledModel, { threads: 1 });
  const session = model.session();
  const right = {
    complete: "a",
    chat: [{ role: "user", content: "a" }],
    tokenize: "a",
    detokenize: [1],
    logprobs: [1],
    logits: [1],
    embed: "a",
  };
  expect(await offences(model as never, [...Object.keys(right), "restore"], right)).toEqual([]);
  expect(await offences(session as never, ["complete"], right)).toEqual([]);
  model.close();
});

test("a file of any bytes", async () => {
  const bytes = new Uint8Array(readFileSync(bundledModel));
  for (const length of [0, 1, 4, 24, 1000]) {
    await expect(load(bytes.slice(0, length))).rejects.toBeInstanceOf(ZagreusError);
  }
});
