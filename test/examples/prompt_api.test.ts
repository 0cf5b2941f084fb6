// examples/prompt-api: ratings that are numbers. Its page is test/browser/prompt_api.test.mjs's.

import { expect, test } from "vitest";
import { run } from "../support/child";

test("every text gets a rating", async () => {
  const { stdout, stderr } = await run(process.execPath, [
    "examples/prompt-api/rate.mjs",
    "Delicious.",
    "Never again.",
  ]);
  expect(stdout).toMatch(/^[0-5] {2}Delicious\.\n[0-5] {2}Never again\.\n$/);
  expect(stderr).toContain("100 % loaded");
});
