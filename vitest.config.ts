import { configDefaults, defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // They need more than npm ci: npm run test:wasi and so on.
    exclude: [...configDefaults.exclude, ...["wasi", "raspberry-pi", "terminal"].map((folder) => `test/${folder}/**`)],
    setupFiles: ["test/support/event_loop.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
