// What the project's files import, and the graphs that follow.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

export interface Import {
  /** A file, from the project's root on. */
  from: string;
  /** The same, without extension; or a package. */
  to: string;
}

const SOURCE = /\.(m?ts|tsx|mjs|[ch])$/;
const LEFT_OUT = /(^|\/)(node_modules|fixtures|dist|\.[^/]+)\//;
const withoutExtension = (path: string) => path.replace(/\.(m?ts|tsx|m?js)$/, "");

/** The source files below a directory. */
export function sources(directory: string): string[] {
  return projectFiles(directory)
    .filter((path) => SOURCE.test(path) && !LEFT_OUT.test(path))
    .sort();
}

/** The files below a directory that are the project's, in git or new: nothing that is installed or built. */
export function projectFiles(directory: string): string[] {
  const args = ["ls-files", "--cached", "--others", "--exclude-standard", "--", directory];
  return execFileSync("git", args, { encoding: "utf8" })
    .split("\n")
    .filter((path) => path !== "" && existsSync(path));
}

/** All imports of the TypeScript and JavaScript files below a directory, and what its C files use of each other. */
export function imports(directory: string): Import[] {
  const files = sources(directory);
  return [...files.filter((path) => !/\.[ch]$/.test(path)).flatMap(moduleImports), ...cUses(files)];
}

function moduleImports(from: string): Import[] {
  const specifiers = readFileSync(from, "utf8").matchAll(
    /^\s*(?:(?:import|export)\b[^"';]*\bfrom\s*|import\s*)"([^"]+)"|\bimport\(\s*"([^"]+)"/gm,
  );
  return [...specifiers].map(([, fixed, dynamic]) => {
    const specifier = (fixed ?? dynamic)!;
    if (!specifier.startsWith(".")) return { from, to: specifier };
    return { from, to: withoutExtension(normalize(join(dirname(from), specifier))) };
  });
}

/** Which .c file calls functions of which other: they share one header, so its #include lines say nothing. */
function cUses(files: readonly string[]): Import[] {
  const texts = files.filter((path) => path.endsWith(".c")).map((path) => ({ path, text: readFileSync(path, "utf8") }));
  const defined = new Map<string, string>(); // which file defines a function
  for (const { path, text } of texts) {
    for (const [, name] of text.matchAll(/^(?!static\b)\w[\w \t*]*?\b(\w+)\([^;{}]*\)\s*\{/gm))
      defined.set(name!, path);
  }
  return texts.flatMap(({ path, text }) => {
    const called = new Set([...text.matchAll(/\b(\w+)\(/g)].map(([, name]) => defined.get(name!)));
    return [...called].filter((to) => to !== undefined && to !== path).map((to) => ({ from: path, to: to! }));
  });
}

/** Edges between nodes of a graph. */
export type Graph = Map<string, Set<string>>;

/** Which file imports which. */
export function fileGraph(edges: readonly Import[]): Graph {
  return graph(edges.map(({ from, to }) => [withoutExtension(from), existingFile(to)] as const));
}

/** Which folder imports which other. */
export function folderGraph(edges: readonly Import[]): Graph {
  const local = edges.map(({ from, to }) => [dirname(from), dirname(existingFile(to))] as const);
  return graph(local.filter(([from, to]) => from !== to));
}

/** The module that a specifier without extension means: a file, or a folder's index. */
function existingFile(path: string): string {
  return existsSync(`${path}.ts`) || !existsSync(`${path}/index.ts`) ? path : `${path}/index`;
}

function graph(edges: readonly (readonly [string, string])[]): Graph {
  const out: Graph = new Map();
  for (const [from, to] of edges) out.set(from, (out.get(from) ?? new Set()).add(to));
  return out;
}

/** A way through a graph that ends where it begins, if there is one. */
export function cycle(edges: Graph): string[] | undefined {
  const done = new Set<string>();
  const visit = (node: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return undefined;
    for (const next of edges.get(node) ?? []) {
      const found = visit(next, [...path, node]);
      if (found) return found;
    }
    done.add(node);
    return undefined;
  };
  for (const node of edges.keys()) {
    const found = visit(node, []);
    if (found) return found;
  }
  return undefined;
}
