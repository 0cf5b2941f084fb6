// The fenced blocks of the documents, and projects to run them in.

import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Where packages that blocks import are installed. */
const PACKAGES = {
  openai: "test/clients",
  express: "test/frameworks",
  fastify: "test/frameworks",
  hono: "test/frameworks",
  "@hono/node-server": "test/frameworks",
  "@types": "test/frameworks",
};

/** All blocks of a document: { document, heading, language, code }. */
export function blocksOf(document) {
  const text = readFileSync(join(ROOT, document), "utf8");
  return [...text.matchAll(/^```(\w*).*\n([\s\S]*?)^```$/gm)].map(({ 1: language, 2: code, index }) => {
    const heading = [...text.slice(0, index).matchAll(/^#+ (.*)$/gm)].at(-1)?.[1];
    return { document, heading, language, code };
  });
}

/** TypeScript as the JavaScript that it is without types. */
export function withoutTypes(code) {
  const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
  return ts.transpileModule(code, { compilerOptions: options }).outputText;
}

/** An empty folder with the package, what blocks import besides, and `files` (text by name), which may be another package. */
export function project(files = {}) {
  const directory = mkdtempSync(join(tmpdir(), "zagreus-documents-"));
  const link = (name, target) => {
    mkdirSync(dirname(join(directory, "node_modules", name)), { recursive: true });
    symlinkSync(target, join(directory, "node_modules", name));
  };
  if (!Object.keys(files).some((name) => name.startsWith("node_modules/zagreus-edge/"))) link("zagreus-edge", ROOT);
  for (const [name, folder] of Object.entries(PACKAGES)) link(name, join(ROOT, folder, "node_modules", name));
  const write = (name, text) => {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  };
  write("package.json", '{ "private": true, "type": "module" }\n');
  for (const [name, text] of Object.entries(files)) write(name, text);
  return { directory, write, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** A port that nobody listens at. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

// As a command: prints the first block under a heading of a document, without types.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , document, heading] = process.argv;
  console.log(withoutTypes(blocksOf(document).find((block) => block.heading === heading).code));
}
