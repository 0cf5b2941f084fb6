// Every failure is a ZagreusError, whatever the public functions are given. In other runtimes: the suites of test/junk/junk.mjs.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as zagreus from "zagreus-edge";
import { functionsOf, offences, offencesOfEntry } from "../../junk/junk.mjs";

const { bundledModel, load, ZagreusError } = zagreus;

test("the library, a model, a session", async () => {
  expect(await offencesOfEntry(zagreus, bundledModel)).toEqual([]);
});

test("a model in another thread", async () => {
  const offloading = { ...zagreus, load: (source: string) => load(source, { offload: true, threads: 1 }) };
  expect(await offencesOfEntry(offloading, bundledModel)).toEqual([]);
});

test("all functions of the other entry points", async () => {
  const right = {
    load: bundledModel,
    inspect: bundledModel,
    quantize: "no-such-folder",
    encodeGguf: {},
    openGguf: {},
    openHuggingface: {},
  };
  const entries = ["zagreus-edge/quantize", "zagreus-edge/server", "zagreus-edge/raspberry-pi"];
  const modules = await Promise.all(
    [...entries, new URL("../../../dist/edge-light.js", import.meta.url).href].map((name) => import(name)),
  );
  for (const module of modules) {
    const errors = { ZagreusError: module.ZagreusError ?? ZagreusError };
    expect(await offences(module, functionsOf(module), { right, ...errors })).toEqual([]);
  }
});

test("a file of any bytes", async () => {
  const bytes = new Uint8Array(readFileSync(bundledModel));
  for (const length of [0, 1, 4, 24, 1000]) {
    await expect(load(bytes.slice(0, length))).rejects.toBeInstanceOf(ZagreusError);
  }
});
