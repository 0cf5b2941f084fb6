// Tests of the installed package in Node, Deno and Bun: `npm run test:runtimes`, after `npm run build` and
// `npm ci --prefix test/runtimes`.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/runtimes/*.test.mjs"],
    testTimeout: 300_000,
    hookTimeout: 120_000,
    fileParallelism: false, // each installs the package
  },
});
