// Builds dist/: the core (asc), the library and the command (esbuild), their types (tsc), and the licenses of what they
// bundle.

import { execFile, execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);
const { version } = JSON.parse(readFileSync("package.json", "utf8"));
const run = (script, ...args) => execFileSync(process.execPath, [script, ...args], { stdio: ["ignore", 2, 2] });

rmSync("dist/types", { recursive: true, force: true });
const { targets } = JSON.parse(readFileSync("asconfig.json", "utf8"));
const asc = (target) => ["node_modules/assemblyscript/bin/asc.js", "assembly/index.ts", "--target", target];
const cores = Object.keys(targets).map((target) => promisify(execFile)(process.execPath, asc(target)));

const shared = {
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  metafile: true,
  logLevel: "warning",
};
const bundles = await Promise.all([
  build({ ...shared, entryPoints: ["host/node/index.ts"], outfile: "dist/index.js" }),
  build({ ...shared, entryPoints: ["host/node/worker.ts"], outfile: "dist/worker.js" }),
  build({
    ...shared,
    entryPoints: ["host/node/cli/main.ts"],
    outfile: "dist/cli.js",
    define: { ZAGREUS_VERSION: JSON.stringify(version) },
    banner: {
      // CommonJS packages in the bundle call require().
      js: [
        "#!/usr/bin/env node",
        'import { createRequire } from "node:module";',
        "const require = createRequire(import.meta.url);",
      ].join("\n"),
    },
  }),
]);
writeFileSync(
  "dist/THIRD_PARTY_LICENSES.txt",
  licenses(bundles.flatMap(({ metafile }) => Object.keys(metafile.inputs))),
);

run("node_modules/typescript/bin/tsc", "-p", "tsconfig.types.json");
for (const { stderr } of await Promise.all(cores)) process.stderr.write(stderr);

/** The license texts of the packages that the bundled files belong to. */
function licenses(inputs) {
  const packages = new Set(
    inputs.map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]).filter(Boolean),
  );
  const sections = [...packages].sort().map((name) => {
    const directory = `node_modules/${name}`;
    const { version, license } = JSON.parse(readFileSync(`${directory}/package.json`, "utf8"));
    const file = readdirSync(directory).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file && existsSync(`${directory}/${file}`) ? readFileSync(`${directory}/${file}`, "utf8").trim() : "";
    return `${name} ${version} (${license})\n\n${text}`;
  });
  return `${sections.join(`\n\n${"-".repeat(72)}\n\n`)}\n`;
}
