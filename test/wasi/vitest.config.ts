// Tests of dist/zagreus.wasm: `npm run test:wasi`. They need a C compiler for WASI and what test/runtimes installs.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/wasi/*.test.ts"],
    fileParallelism: false, // the example's test builds the module
    testTimeout: 120_000,
  },
});
