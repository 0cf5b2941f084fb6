// npm run release: versions and the changelog, and a release of a small package in a repository of its own.

import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  changelogProblems,
  compareVersions,
  nextVersion,
  parseChangelog,
  released,
} from "../../../host/build/release/changelog.mjs";
import { brokenLinks, homes, tarballProblems } from "../../../host/build/release/tarball.mjs";
import { run } from "../../support/child";

const SCRIPT = fileURLToPath(new URL("../../../host/build/release/main.mjs", import.meta.url));
const CHANGELOG = "# Changelog\n\n## Unreleased\n\n### Added\n\n- A thing.\n\n## 0.1.0 - 2026-11-21\n\nFirst.\n";

test("versions follow each other", () => {
  expect(["patch", "minor", "major", "0.3.0"].map((step) => nextVersion("0.2.9", step))).toEqual([
    "0.2.10",
    "0.3.0",
    "1.0.0",
    "0.3.0",
  ]);
  expect(() => nextVersion("0.2.9", "0.2.9")).toThrow("0.2.9 does not come after 0.2.9");
  for (const wrong of ["1.0", "v1.0.0", "1.0.0-beta", "01.0.0", ""])
    expect(() => nextVersion("0.1.0", wrong)).toThrow(`"${wrong}" is no version`);
  const version = fc.array(fc.nat(), { minLength: 3, maxLength: 3 }).map((numbers) => numbers.join("."));
  fc.assert(
    fc.property(version, fc.constantFrom("major", "minor", "patch"), (current, step) => {
      expect(compareVersions(nextVersion(current, step), current)).toBeGreaterThan(0);
    }),
  );
});

describe("the changelog", () => {
  test("this project's has its form, and a date for the version of package.json or something to release", () => {
    const text = readFileSync("CHANGELOG.md", "utf8");
    const { version } = JSON.parse(readFileSync("package.json", "utf8"));
    expect(changelogProblems(text)).toEqual([]);
    expect(parseChangelog(text)[1]).toMatchObject({ version, date: expect.any(String) });
  });

  test("what is unreleased becomes the version's", () => {
    const text = released(CHANGELOG, "0.2.0", "2026-12-01");
    expect(parseChangelog(text)).toEqual([
      { version: "Unreleased", date: undefined, body: "" },
      { version: "0.2.0", date: "2026-12-01", body: "### Added\n\n- A thing." },
      { version: "0.1.0", date: "2026-11-21", body: "First." },
    ]);
    expect(changelogProblems(text)).toEqual([]);
    expect(() => released(text, "0.3.0", "2026-12-02")).toThrow("nothing is unreleased");
  });

  test("what has another form is told", () => {
    expect(changelogProblems("## 0.1.0\n### New\n\n## 0.2.0 - 2026-01-01\n\n## next - 2026-01-01\n")).toEqual([
      'the first section is not "## Unreleased"',
      '"## next" is no version',
      '"### New" is none of Added, Changed, Deprecated, Removed, Fixed, Security',
    ]);
    expect(changelogProblems("## Unreleased\n## 0.1.0\n## 0.2.0 - 2026-01-01\n")).toEqual([
      "0.1.0 stands above 0.2.0",
      "0.1.0 has no date like 2026-01-31",
    ]);
  });
});

test("what does not belong into the package is told", () => {
  const manifest = {
    exports: { ".": { types: "./dist/a.d.ts", default: "./dist/index.js" } },
    bin: { a: "dist/cli.js" },
  };
  const files = ["dist/index.js", "dist/.inputs.json", "test/secret.key", "docs/server.md"].map((path) => ({ path }));
  const readme = '[a](docs/server.md#log) [b](docs/none.md) [c](https://example.org) <img src="docs/images/a.png">';
  expect(tarballProblems({ files, size: 1e7 }, manifest, () => readme)).toEqual([
    "dist/.inputs.json is not in the list of what is published (host/build/release/tarball.mjs)",
    "test/secret.key is not in the list of what is published (host/build/release/tarball.mjs)",
    "package.json names dist/a.d.ts, which is not there",
    "package.json names dist/cli.js, which is not there",
    "README.md links to docs/none.md, which is not there",
    "README.md links to docs/images/a.png, which is not there",
    "10000000 bytes are more than 9000000",
  ]);
  expect(brokenLinks("docs/server.md", "[a](../README.md) [b](images/a.png)", ["README.md"])).toEqual(["images/a.png"]);
});

test("where the project lives is said once", () => {
  expect(homes({})).toEqual({});
  for (const repository of ["https://example.org/a/b", { url: "git+https://example.org/a/b.git" }])
    expect(homes({ repository })).toEqual({
      homepage: "https://example.org/a/b#readme",
      bugs: { url: "https://example.org/a/b/issues" },
    });
  expect(() => homes({ repository: "a/b" })).toThrow("no https: address: a/b");
});

describe("a release", () => {
  let folder: string;
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  const git = (...args: string[]) =>
    run("git", ["-c", "user.name=t", "-c", "user.email=t@example.org", ...args], { cwd: folder });
  const env = {
    ...process.env,
    ...Object.fromEntries(
      ["AUTHOR", "COMMITTER"].flatMap((who) => [
        [`GIT_${who}_NAME`, "t"],
        [`GIT_${who}_EMAIL`, "t@example.org"],
      ]),
    ),
  };
  const release = (...args: string[]) => run(process.execPath, [SCRIPT, ...args], { cwd: folder, env });

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "zagreus-release-"));
    const repository = { type: "git", url: "git+https://example.org/a/b.git" };
    const manifest = { name: "small", version: "0.1.0", files: ["CHANGELOG.md"], repository };
    const files = {
      "package.json": manifest,
      "package-lock.json": {
        name: "small",
        version: "0.1.0",
        lockfileVersion: 3,
        packages: { "": { version: "0.1.0" } },
      },
      "jsr.json": { version: "0.1.0" },
    };
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(content));
    writeFileSync(join(folder, "CHANGELOG.md"), CHANGELOG);
    writeFileSync(join(folder, "README.md"), "[what changed](CHANGELOG.md)\n");
    writeFileSync(join(folder, ".gitignore"), "*.tgz\n*.intoto.json\n");
    await git("init", "--quiet");
    await git("add", ".");
    await git("commit", "--quiet", "--message", "All");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("a dry run writes nothing", async () => {
    const before = readdirSync(folder);
    const { stderr } = await release("minor", "--dry-run");
    expect(stderr).toMatch(/^0\.2\.0 would be 3 files, \d+ bytes; nothing was written$/m);
    expect(readdirSync(folder)).toEqual(before);
    expect((await git("status", "--porcelain")).stdout).toBe("");
  });

  test("it is versions, a changelog, a commit, a tag, a tarball and its provenance", async () => {
    await release("minor");
    for (const name of ["package.json", "package-lock.json", "jsr.json"])
      expect(JSON.parse(read(name)).version).toBe("0.2.0");
    expect(JSON.parse(read("package.json")).bugs).toEqual({ url: "https://example.org/a/b/issues" });
    expect(parseChangelog(read("CHANGELOG.md"))[1]!.version).toBe("0.2.0");
    expect((await git("status", "--porcelain")).stdout).toBe("");
    expect((await git("tag", "--list", "--format=%(contents)", "v0.2.0")).stdout).toContain("### Added\n\n- A thing.");
    const tarball = readFileSync(join(folder, "small-0.2.0.tgz"));
    const { subject, predicate } = JSON.parse(read("small-0.2.0.tgz.intoto.json"));
    expect(subject[0].digest.sha256).toBe(createHash("sha256").update(tarball).digest("hex"));
    const commit = (await git("rev-parse", "v0.2.0^{commit}")).stdout.trim();
    expect(predicate.buildDefinition.resolvedDependencies[0].digest).toEqual({ gitCommit: commit });
  });

  test("what is wrong ends it, and leaves nothing changed", async () => {
    writeFileSync(join(folder, "README.md"), "[a](nowhere.md)\n");
    await expect(release("minor")).rejects.toThrow(/these files are not committed:\nM README\.md/);
    await git("commit", "--quiet", "--all", "--message", "A broken link");
    await expect(release("minor")).rejects.toThrow("README.md links to nowhere.md, which is not there");
    expect((await git("status", "--porcelain")).stdout).toBe("");
    expect((await git("tag")).stdout).toBe("");
    await expect(release()).rejects.toThrow("which version?");
  });
});
