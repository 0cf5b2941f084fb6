// Tests in workerd: `npm run test:cloudflare`, after `npm run build` and `npm ci --prefix test/cloudflare`.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/cloudflare/*.test.mjs"],
    fileParallelism: false, // cold starts are measured
    testTimeout: 180_000,
    hookTimeout: 60_000,
  },
});
