// Tests in Chromium: `npm run test:browser`, after `npm run build` and `npm ci --prefix test/browser`.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/browser/*.test.mjs"],
    fileParallelism: false, // one browser at a time
    testTimeout: 120_000,
    hookTimeout: 300_000, // one builds the package
  },
});
