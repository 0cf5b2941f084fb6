// The recipes of docs/hosts.md for Node and Bun, followed in an empty project.

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { installPackage, output, RUNTIMES } from "../runtimes/installed.mjs";
import { WRITTEN, writeRecipe } from "./recipes.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
/** Where the commands' programs are: those of this project, else of the machine. */
const BINARIES = [
  here("../../node_modules/.bin"),
  here("../runtimes/node_modules/.bin"),
  ...["Node 24", "Bun"].map((name) => dirname(RUNTIMES[name]("")[0])),
];

let project;
beforeEach(() => {
  project = installPackage();
});
afterEach(() => project?.remove());

/** What the commands print, from an empty folder in the end: an executable needs nothing beside it. */
async function follow(heading) {
  const commands = writeRecipe(heading, project.directory).replaceAll("npx ", "");
  const moved = commands.replace(
    /^\.\/app$/m,
    "mkdir empty && mv app empty && rm -rf node_modules out model.gguf && cd empty && ./app",
  );
  const env = { PATH: [...BINARIES, process.env.PATH].join(":"), npm_config_yes: "false" };
  return output("sh", ["-ec", moved], project.directory, { env });
}

test.each(["esbuild, for Node", "Node's single executable application", "bun build --compile"])(
  "%s",
  async (heading) => {
    expect(await follow(heading)).toContain(WRITTEN);
  },
);
