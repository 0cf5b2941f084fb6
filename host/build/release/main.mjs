// npm run release -- major|minor|patch|VERSION [--dry-run]: versions, changelog, a tarball that was looked through, what it was
// made of, commit and tag. Nothing is pushed or published; the last lines say how. docs/releasing.md

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { changelogProblems, nextVersion, parseChangelog, released } from "./changelog.mjs";
import { homes, tarballProblems } from "./tarball.mjs";

const say = (line) => process.stderr.write(`${line}\n`);
const run = (command, ...args) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
const read = (path) => readFileSync(path, "utf8");
const json = (path) => JSON.parse(read(path));
const sha256 = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");

const VERSIONED = ["package.json", "package-lock.json", "jsr.json"];
const CHANGED = [...VERSIONED, "CHANGELOG.md"];

try {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { "dry-run": { type: "boolean" } } });
  if (positionals.length !== 1)
    throw new Error("which version? npm run release -- major|minor|patch|1.2.3 [--dry-run]");
  release(positionals[0], values["dry-run"] ?? false);
} catch (error) {
  say(`release: ${error.message}`);
  process.exitCode = 1;
}

function release(step, dryRun) {
  const version = nextVersion(json("package.json").version, step);
  const changed = run("git", "status", "--porcelain").trim();
  if (changed !== "" && !dryRun) throw new Error(`these files are not committed:\n${changed}`);
  const texts = textsOf(version);
  if (dryRun) {
    const packed = check(pack("--dry-run", "--ignore-scripts"), JSON.parse(texts.get("package.json")));
    say(`${version} would be ${packed.files.length} files, ${packed.size} bytes; nothing was written`);
    return;
  }
  try {
    for (const [path, text] of texts) writeFileSync(path, text);
    const packed = check(pack(), json("package.json"));
    finish(version, packed);
  } catch (error) {
    run("git", "checkout", "--quiet", "HEAD", "--", ...CHANGED);
    throw error;
  }
}

/** What the changed files will say. */
function textsOf(version) {
  const changelog = read("CHANGELOG.md");
  const problems = changelogProblems(changelog);
  if (problems.length > 0) throw new Error(`CHANGELOG.md: ${problems.join("; ")}`);
  const texts = VERSIONED.map((path) => {
    const content = { ...json(path), version };
    if (path === "package.json") Object.assign(content, homes(content));
    if (path === "package-lock.json") content.packages[""].version = version;
    return [path, `${JSON.stringify(content, null, 2)}\n`];
  });
  const date = new Date().toISOString().slice(0, 10);
  return new Map([...texts, ["CHANGELOG.md", released(changelog, version, date)]]);
}

function pack(...options) {
  return JSON.parse(run("npm", "pack", "--json", ...options))[0];
}

function check(packed, manifest) {
  const problems = tarballProblems(packed, manifest, read);
  if (problems.length > 0) throw new Error(`the package:\n${problems.join("\n")}`);
  return packed;
}

/** Commit, tag, and the statement of what the tarball was made of. */
function finish(version, { filename }) {
  run("git", "commit", "--quiet", "--message", `Release ${version}`, ...CHANGED);
  const notes = parseChangelog(read("CHANGELOG.md")).find((each) => each.version === version).body;
  run("git", "tag", "--annotate", "--cleanup=whitespace", `v${version}`, "--message", `${version}\n\n${notes}`);
  writeFileSync(`${filename}.intoto.json`, `${JSON.stringify(statement(filename), null, 2)}\n`);
  say(`${filename}, ${filename}.intoto.json, tag v${version}. To publish:
  git push --follow-tags
  npm publish ${filename} --provenance --access public   # in CI, whose identity signs it; package.json must name the repository`);
}

/** An in-toto statement with SLSA's provenance: https://slsa.dev/spec/v1.0/provenance. Unsigned; npm's own is signed in CI. */
function statement(filename) {
  const commit = run("git", "rev-parse", "HEAD").trim();
  const { repository } = json("package.json");
  const dependency = (uri, digest) => ({ uri, digest });
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: filename, digest: { sha256: sha256(filename) } }],
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: "npm ci && npm pack",
        externalParameters: { node: process.version, npm: run("npm", "--version").trim() },
        resolvedDependencies: [
          dependency(repository?.url ?? repository ?? "this repository", { gitCommit: commit }),
          dependency("package-lock.json", { sha256: sha256("package-lock.json") }),
        ],
      },
      runDetails: { builder: { id: "host/build/release/main.mjs" } },
    },
  };
}
