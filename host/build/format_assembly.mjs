// Formats assembly/ with Biome, which cannot parse AssemblyScript's decorators on functions and variables: in a
// temporary copy each stands as a comment on a line of its own. Without --write it only reports the files that differ.

import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const assembly = join(root, "assembly");
const biome = join(root, "node_modules/@biomejs/biome/bin/biome");
const write = process.argv.includes("--write");

const hide = (text) => text.replace(/^(@(?:inline|lazy|unsafe|global))\s+/gm, "//$1\n");
const show = (text) => text.replace(/^\/\/(@(?:inline|lazy|unsafe|global))$/gm, "$1");

const copy = mkdtempSync(join(tmpdir(), "zagreus-format-"));
try {
  const files = readdirSync(assembly, { recursive: true }).filter((name) => name.endsWith(".ts"));
  cpSync(assembly, copy, { recursive: true, filter: (path) => !path.endsWith(".json") });
  for (const file of files) writeFileSync(join(copy, file), hide(readFileSync(join(copy, file), "utf8")));
  const { formatter, javascript } = JSON.parse(readFileSync(join(root, "biome.json"), "utf8"));
  writeFileSync(join(copy, "biome.json"), JSON.stringify({ root: true, formatter, javascript }));
  execFileSync(process.execPath, [biome, "format", "--write", "--log-level=error", "."], {
    cwd: copy,
    stdio: "inherit",
  });

  const differing = [];
  for (const file of files) {
    const formatted = show(readFileSync(join(copy, file), "utf8"));
    if (formatted === readFileSync(join(assembly, file), "utf8")) continue;
    differing.push(file);
    if (write) writeFileSync(join(assembly, file), formatted);
  }
  if (differing.length > 0 && !write) {
    console.error(
      `not formatted (npm run format mends it):\n${differing.map((file) => `  assembly/${file}`).join("\n")}`,
    );
    process.exitCode = 1;
  }
} finally {
  rmSync(copy, { recursive: true });
}
