// Whatever a Worker passes, what is thrown is a ZagreusError.

import { afterAll, beforeAll, expect, test } from "vitest";
import { workerd } from "./workerd.mjs";

let worker;
beforeAll(async () => {
  worker = await workerd("junk_worker.mjs");
});
afterAll(() => worker?.dispose());

test("all functions of the entry point, a model, a session", async () => {
  expect(await worker.json("/")).toEqual([]);
});
