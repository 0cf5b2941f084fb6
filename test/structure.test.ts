// The shape of the project: no cycles, no crowded folders, no long functions.

import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { cycle, fileGraph, folderGraph, type Graph, imports, projectFiles, sources } from "./support/imports";

const MAX_FILES = 15; // in a folder
const MAX_LINES = 59; // of a function

test.each(["assembly", "host", "quant", "test", "examples"])(
  "no file of %s imports itself by way of others",
  (room) => {
    const graph = fileGraph(imports(room));
    expect(graph.size).toBeGreaterThan(1);
    expect(cycle(graph)).toBeUndefined();
  },
);

test("cycles are found, in C too", () => {
  const edges = (...pairs: string[]) => fileGraph(pairs.map((pair) => ({ from: pair[0]!, to: pair[1]! })));
  expect(cycle(edges("ab", "bc", "ac"))).toBeUndefined();
  expect(cycle(edges("ab", "bc", "cd", "db"))).toEqual(["b", "c", "d", "b"]);
  expect(imports("host/wasi")).toContainEqual({ from: "host/wasi/model.c", to: "host/wasi/clock.c" });
});

describe.each(["assembly", "host", "quant"])("the folders of %s", (room) => {
  test("import one way", () => {
    const edges = folderGraph(imports(room).filter(({ to }) => to.startsWith(`${room}/`)));
    console.log(`${room}:\n${drawn(edges, room)}`);
    expect(cycle(edges)).toBeUndefined();
  });
});

/** A line for each folder: what it imports, what is imported by most first. */
function drawn(edges: Graph, room: string): string {
  const short = (folder: string) => folder.slice(room.length + 1) || ".";
  const lines = [...edges].map(([from, to]) => `  ${short(from)} -> ${[...to].map(short).sort().join(" ")}`);
  return lines.sort().join("\n");
}

test("at the top are the rooms, and files", () => {
  const rooms = projectFiles(".").flatMap((path) => (path.includes("/") ? path.split("/")[0]! : []));
  expect([...new Set(rooms)].sort()).toEqual([
    ".ci",
    ".github",
    "assembly",
    "docs",
    "examples",
    "host",
    "quant",
    "test",
  ]);
});

test(`no folder has more than ${MAX_FILES} source files`, () => {
  const files = new Map<string, number>();
  for (const path of ["assembly", "host", "quant", "test", "examples"].flatMap(sources)) {
    files.set(dirname(path), (files.get(dirname(path)) ?? 0) + 1);
  }
  const crowded = [...files].filter(([, count]) => count > MAX_FILES).map(([folder]) => folder);
  expect(crowded).toEqual([]);
});

test(`no function of host/ has more than ${MAX_LINES} lines`, () => {
  const long = sources("host")
    .filter((path) => /\.(m?ts|tsx|mjs)$/.test(path))
    .flatMap(longFunctions);
  expect(long).toEqual([]);
});

/** "path: name", of the functions of a file that have too many lines. */
function longFunctions(path: string): string[] {
  const file = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true);
  const line = (position: number) => file.getLineAndCharacterOfPosition(position).line;
  const found: string[] = [];
  const visit = (node: ts.Node) => {
    const lines = line(node.getEnd()) - line(node.getStart()) + 1;
    if (ts.isFunctionLike(node) && lines > MAX_LINES) found.push(`${path}: ${nameOf(node)}`);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function nameOf(node: ts.SignatureDeclaration): string {
  if (node.name) return node.name.getText();
  const { parent } = node;
  return ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) ? parent.name.getText() : "anonymous";
}
