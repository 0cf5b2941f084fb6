// One configuration for all suites: `npx vitest run PATH...` runs any of them, `--project unit` one whole suite. All but
// "unit" need more than npm ci: the packages of their folder (`npm ci --prefix test/browser`) and what their files name.
// `--mode sources` runs "unit" on host/ as it stands instead of dist/'s bundles; WebAssembly and threads stay dist/'s.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { configDefaults, defineConfig, type TestProjectInlineConfiguration } from "vitest/config";

const SECOND = 1000;
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The package's entry points as sources. */
const SOURCES: Record<string, string> = {
  "zagreus-edge": "host/node/index.ts",
  "zagreus-edge/prompt-api": "host/node/prompt_api.ts",
  "zagreus-edge/quantize": "host/node/quantize.ts",
  "zagreus-edge/receipts": "host/core/receipt/index.ts",
  "zagreus-edge/shards": "host/node/shards/index.ts",
  "zagreus-edge/server": "host/core/server/index.ts",
  "zagreus-edge/raspberry-pi": "host/raspberry-pi/index.ts",
};
const alias = Object.entries(SOURCES).map(([name, path]) => ({
  find: new RegExp(`^${name}$`),
  replacement: here(path),
}));

/** Bundles lie in dist/, and look there for what they load: so must sources. */
const besideBundles = {
  name: "import.meta.url of a bundle",
  transform: (code: string, id: string) =>
    id.startsWith(here("host/node/"))
      ? code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(here("dist/index.js")).href))
      : undefined,
};

/** The suite in test/NAME. Those that measure or share a program run with --no-file-parallelism (package.json). */
const suite = (name: string, testTimeout: number, hookTimeout = 120 * SECOND): TestProjectInlineConfiguration => ({
  test: { name, include: [`test/${name}/**/*.test.{ts,mjs}`], testTimeout, hookTimeout },
});

const SUITES = [
  suite("browser", 120 * SECOND, 300 * SECOND), // one builds the package
  suite("chat", 120 * SECOND, 300 * SECOND), // one builds the package
  suite("clients", 60 * SECOND),
  suite("cloudflare", 180 * SECOND),
  suite("deploy", 120 * SECOND, 120 * SECOND), // as root; with hadolint on the PATH
  suite("embedding", 300 * SECOND, 300 * SECOND),
  suite("frameworks", 120 * SECOND),
  suite("raspberry-pi", 120 * SECOND),
  suite("recipes", 300 * SECOND), // with the packages of browser and runtimes
  suite("runtimes", 300 * SECOND),
  suite("site", 120 * SECOND), // of npm run docs; with the packages of chat
  suite("smollm2", 300 * SECOND), // with the packages of browser, chat, clients, cloudflare and runtimes
  suite("terminal", 60 * SECOND),
  suite("wasi", 120 * SECOND),
];

export default defineConfig(({ mode }) => {
  const { version } = JSON.parse(readFileSync(here("package.json"), "utf8"));
  const define = { ZAGREUS_VERSION: JSON.stringify(version) };
  const onSources = mode === "sources" ? { plugins: [besideBundles], resolve: { alias }, define } : {};
  const unit: TestProjectInlineConfiguration = {
    ...onSources,
    test: {
      name: "unit",
      include: ["test/**/*.test.ts"],
      exclude: [...configDefaults.exclude, ...SUITES.flatMap(({ test }) => test!.include!)],
      setupFiles: ["test/support/event_loop.ts"],
      testTimeout: 300 * SECOND, // for those that hang: a busy machine may take ten times as long as a quiet one
      hookTimeout: 300 * SECOND,
    },
  };
  const coreTests = readdirSync(here("test/assembly"), { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".test.ts"),
  );
  const onCore = {
    pattern: /\/dist\/zagreus-simd\.wasm$/,
    testsToRun: () => coreTests.map((name) => `test/assembly/${name}`),
  };
  return { test: { projects: [unit, ...SUITES], watchTriggerPatterns: [onCore] } };
});
