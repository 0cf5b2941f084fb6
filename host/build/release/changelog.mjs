// CHANGELOG.md as Keep a Changelog has it, and versions as semver has them.

const SECTIONS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];
const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/;

/** The numbers of "1.2.3". Pre-releases are not made here. */
function numbers(version) {
  const found = VERSION.exec(version);
  if (!found) throw new Error(`"${version}" is no version like 1.2.3`);
  return found.slice(1).map(Number);
}

/** Below 0 where a version comes before another. */
export function compareVersions(a, b) {
  const [left, right] = [numbers(a), numbers(b)];
  return left.map((number, i) => number - right[i]).find((difference) => difference !== 0) ?? 0;
}

/** The version that follows. @param step "major", "minor", "patch", or the version itself, which must be later */
export function nextVersion(current, step) {
  const [major, minor, patch] = numbers(current);
  const steps = {
    major: `${major + 1}.0.0`,
    minor: `${major}.${minor + 1}.0`,
    patch: `${major}.${minor}.${patch + 1}`,
  };
  const next = steps[step] ?? step;
  if (compareVersions(next, current) <= 0) throw new Error(`${next} does not come after ${current}`);
  return next;
}

/** The versions of a changelog, the latest first: { version, date, body }; "Unreleased" has no date. */
export function parseChangelog(text) {
  const headings = [...text.matchAll(/^## (.*)$/gm)];
  return headings.map(({ 0: line, 1: heading, index }, i) => {
    const [version, date] = heading.split(" - ");
    return { version, date, body: text.slice(index + line.length, headings[i + 1]?.index).trim() };
  });
}

/** What of a changelog is not as Keep a Changelog has it: sentences. */
export function changelogProblems(text) {
  const [unreleased, ...released] = parseChangelog(text);
  const problems = unreleased?.version === "Unreleased" ? [] : ['the first section is not "## Unreleased"'];
  for (const [i, { version, date }] of released.entries()) {
    if (!VERSION.test(version)) problems.push(`"## ${version}" is no version`);
    else if (
      released[i + 1] &&
      VERSION.test(released[i + 1].version) &&
      compareVersions(version, released[i + 1].version) <= 0
    )
      problems.push(`${version} stands above ${released[i + 1].version}`);
    if (!/^\d{4}-\d\d-\d\d$/.test(date ?? "")) problems.push(`${version} has no date like 2026-01-31`);
  }
  const unknown = [...text.matchAll(/^### (.*)$/gm)].filter(([, name]) => !SECTIONS.includes(name));
  return [...problems, ...unknown.map(([, name]) => `"### ${name}" is none of ${SECTIONS.join(", ")}`)];
}

/** The changelog in which what was unreleased is a version's. @param date as 2026-01-31 */
export function released(text, version, date) {
  const [unreleased] = parseChangelog(text);
  if (unreleased?.version !== "Unreleased" || unreleased.body === "")
    throw new Error("nothing is unreleased in CHANGELOG.md");
  return text.replace(/^## Unreleased$/m, `## Unreleased\n\n## ${version} - ${date}`);
}
