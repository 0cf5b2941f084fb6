// The suite of all runtimes, in workerd. Its report is what `npm run runtimes` makes a row of the table of.

import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { failures } from "../runtimes/suite.mjs";
import { here, VERSION, workerd } from "./workerd.mjs";

let worker;
beforeAll(async () => {
  worker = await workerd("suite_worker.mjs", { bindings: { RUNTIME: `workerd ${VERSION}` } });
});
afterAll(() => worker?.dispose());

test.each(["still", "running"])("the suite, with a clock that is %s", async (clock) => {
  const report = await worker.json(`/?clock=${clock}`);
  expect(failures(report)).toEqual([]);
  const builds = report.rows.filter(({ works }) => works).map(({ build }) => build);
  expect(builds).toEqual(["simd", "relaxed"]);
  mkdirSync(here("../runtimes/reports"), { recursive: true });
  writeFileSync(here("../runtimes/reports/workerd.json"), JSON.stringify(report));
});
