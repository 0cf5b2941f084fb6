// What the documents name is there: links, files and folders in code, npm scripts.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";
import { projectFiles } from "./support/imports";

const LEFT_OUT = /(^|\/)(node_modules|dist|\.git|\.cache)(\/|$)/;
const ROOTS = ["assembly", "host", "quant", "test", "docs", "examples"];
/** A part of a path that stands for any name. */
const PLACEHOLDER = /\bNAME\b|[*<>]/;

const FILES = [...ROOTS.flatMap((root) => tree(root)), ...readdirSync(".")];
const DOCUMENTS = FILES.filter((path) => path.endsWith(".md"));
const SCRIPTS: Record<string, string> = JSON.parse(readFileSync("package.json", "utf8")).scripts;

/** The folders that a file lies in. */
function foldersOf(path: string): string[] {
  return path.split("/").map((_, i, parts) => parts.slice(0, i + 1).join("/"));
}

function tree(root: string): string[] {
  const files = projectFiles(root).filter((path) => !LEFT_OUT.test(path));
  return [...new Set(files.flatMap((path) => [path, ...foldersOf(path)]))];
}

/** Links that lead nowhere in the project. */
function brokenLinks(path: string, text: string): string[] {
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [file, anchor] = target.split("#") as [string, string?];
    const linked = file === "" ? path : normalize(join(dirname(path), file));
    return !existsSync(linked) || (anchor !== undefined && !anchors(readFileSync(linked, "utf8")).includes(anchor));
  });
}

/** As GitHub makes them of headings. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** Words of code, quoted or in blocks. */
function words(text: string): string[] {
  const code = text.match(/^```[\s\S]*?^```$|^ {4}.*$|`[^`\n]+`/gm) ?? [];
  return code.flatMap((part) => part.match(/[\w./*<>@-]+/g) ?? []);
}

/** Paths from the project's root, and names of source files as far as they are given, that no file has. */
function missingPaths(text: string): string[] {
  const endsFile = (word: string) => FILES.some((path) => path === word || path.endsWith(`/${word}`));
  return words(text).filter((word) => {
    if (PLACEHOLDER.test(word)) return false;
    if (ROOTS.includes(word.split("/")[0]!) && word.includes("/")) return !LEFT_OUT.test(word) && !existsSync(word);
    return /^[\w./-]+\.(ts|mjs|c|h)$/.test(word) && !LEFT_OUT.test(word) && !endsFile(word.replace(/^\.\//, ""));
  });
}

function missingScripts(text: string): string[] {
  const run = [...text.matchAll(/\bnpm run (?:-s )?([\w:-]+)/g)].map(([, name]) => name!);
  return run.filter((name) => !(name in SCRIPTS));
}

test("what is missing is found", () => {
  expect(
    brokenLinks("docs/a.md", "[a](b.md) [c](design.md) [d](#none) [e](https://example.org) [f](../README.md)"),
  ).toEqual(["b.md", "#none"]);
  expect(
    missingPaths("`host/none.ts` host/nor.ts `node host/index.ts` `api/none.ts` `api/api.ts`, `host/NAME/x.ts`"),
  ).toEqual(["host/none.ts", "api/none.ts"]);
  expect(missingScripts("npm run -s build, npm run nothing")).toEqual(["nothing"]);
});

test.each(DOCUMENTS)("%s", (path) => {
  const text = readFileSync(path, "utf8");
  expect(brokenLinks(path, text)).toEqual([]);
  expect(missingPaths(text)).toEqual([]);
  const own = existsSync(join(dirname(path), "package.json")) && dirname(path) !== ".";
  if (!own) expect(missingScripts(text)).toEqual([]);
});

test("pictures are small, and each is shown by a document", () => {
  const texts = DOCUMENTS.map((path) => readFileSync(path, "utf8")).join("\n");
  for (const path of FILES.filter((name) => name.startsWith("docs/images/"))) {
    expect(readFileSync(path).length, path).toBeLessThan(120_000);
    expect(texts, path).toContain(path.slice("docs/".length));
  }
});

test("the README sells in a screen, and no page is long without sections", () => {
  const count = (text: string) => text.match(/\S+/g)?.length ?? 0;
  expect(count(readFileSync("README.md", "utf8"))).toBeLessThan(900);
  for (const path of DOCUMENTS) {
    const sections = readFileSync(path, "utf8").split(/^## /m).map(count);
    expect(Math.max(...sections), path).toBeLessThan(1800);
  }
});
