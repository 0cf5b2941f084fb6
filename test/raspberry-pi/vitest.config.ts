// The Raspberry Pi's tests: `npm run test:raspberry-pi`, after `npm run build` and `npm ci --prefix test/raspberry-pi`.
// They need Debian's packages mosquitto, systemd, qemu-user, libc6-arm64-cross and libstdc++6-arm64-cross.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/raspberry-pi/*.test.ts"],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
