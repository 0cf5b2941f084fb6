// What the package may hold, file by file, and what its manifest says of where the project lives.

import { dirname, normalize } from "node:path/posix";

/** A row for each kind of file: who needs it. What matches no row is not published. */
export const CONTENTS = [
  [/^(package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md)$/, "whoever looks at the package"],
  [/^docs\/[\w-]+\.md$|^docs\/images\/[\w-]+\.(png|svg)$/, "the README's links, without a network"],
  [/^host\/models\/(README\.md|zagreus-nano-Q8_0\.gguf)$/, "bundledModel"],
  [/^dist\/[\w-]+\.js$/, "entry points of exports and bin, threads, and the chunks that they share"],
  [/^dist\/zagreus-(simd|relaxed)(-mt)?\.wasm$|^dist\/probe-(simd|relaxed)\.wasm$/, "load()"],
  [/^dist\/zagreus-(quantizer|calibrate)\.wasm$|^dist\/(calibration|held-out)\.txt$/, "quantize"],
  [/^dist\/frequencies-\w+\.br$/, "trim"],
  [/^dist\/types\/(assembly|host|quant)\/[\w/-]+\.d\.ts$/, "TypeScript"],
  [/^dist\/page\/[\w.]+$/, "serve's chat page"],
  [/^dist\/wasi\/(zagreus(-relaxed)?\.wasm|zagreus_abi\.h|SHA256SUMS)$/, "Wasmtime, Python, Go, Rust, C"],
  [/^dist\/THIRD_PARTY_LICENSES\.txt$/, "the licenses of what is bundled"],
];

/** More is a mistake: the bundled model is 5.3 MB of it. */
const MAX_BYTES = 9_000_000;

/** What is wrong with a package: sentences. @param packed what `npm pack --json` says @param read the text of a file of it */
export function tarballProblems({ files, size }, manifest, read) {
  const paths = files.map(({ path }) => path);
  const unknown = paths.filter((path) => !CONTENTS.some(([pattern]) => pattern.test(path)));
  const missing = wanted(manifest).filter((path) => !matches(paths, path));
  return [
    ...unknown.map((path) => `${path} is not in the list of what is published (host/build/release/tarball.mjs)`),
    ...missing.map((path) => `package.json names ${path}, which is not there`),
    ...brokenLinks("README.md", read("README.md"), paths).map(
      (link) => `README.md links to ${link}, which is not there`,
    ),
    ...(size > MAX_BYTES ? [`${size} bytes are more than ${MAX_BYTES}`] : []),
  ];
}

/** The files that a manifest's exports and bin lead to. */
function wanted({ exports = {}, bin = {} }) {
  const leaves = (target) => (typeof target === "string" ? [target] : Object.values(target).flatMap(leaves));
  return [...leaves(exports), ...Object.values(bin)].map((path) => normalize(path));
}

const matches = (paths, wanted) =>
  wanted.endsWith("*") ? paths.some((path) => path.startsWith(wanted.slice(0, -1))) : paths.includes(wanted);

/** Links and pictures of a document, not of its fenced blocks, that lead to no file of the package. */
export function brokenLinks(path, text, paths) {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, "");
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)|\b(?:src|href)="([^"]+)"/g)].map(
    ([, link, attribute]) => link ?? attribute,
  );
  return targets.filter((target) => {
    if (/^(#|[a-z]+:)/.test(target)) return false;
    return !paths.includes(normalize(`${dirname(path)}/${target.split("#")[0]}`));
  });
}

/** `homepage` and `bugs`, which follow from `repository`, the one place that says where the project lives; none of them without it. */
export function homes({ repository }) {
  if (repository === undefined) return {};
  const url = (repository.url ?? repository).replace(/^git\+/, "").replace(/\.git$/, "");
  if (!/^https:\/\/[^/]+\/.+[^/]$/.test(url))
    throw new Error(`repository in package.json is no https: address: ${url}`);
  return { homepage: `${url}#readme`, bugs: { url: `${url}/issues` } };
}
