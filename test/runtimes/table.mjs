// The table of all runtimes: runs the suite in those that are here, adds the reports of the others, and fails when one differs.
// `npm run runtimes` prints it; `npm run runtimes -- --write` also puts it into this folder's README.md.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { installPackage, RUNTIMES, runSuiteIn } from "./installed.mjs";
import { failures } from "./suite.mjs";

const REPORTS = new URL("reports/", import.meta.url);
const README = new URL("README.md", import.meta.url);
const BEGIN = "<!-- npm run runtimes -- --write -->\n";
const END = "<!-- end -->";

const reports = [...(await run()), ...stored()];
const rows = reports.flatMap(({ runtime, rows }) => rows.map((row) => ({ runtime, ...row })));
const hashes = new Set(rows.map(({ logitsSha256 }) => logitsSha256).filter(Boolean));
const table = [
  "| runtime | build | works | SHA-256 of the logits | load, ms | tokens/s |",
  "| --- | --- | --- | --- | --- | --- |",
  ...rows.map(line),
  "",
].join("\n");

console.log(table);
if (process.argv.includes("--write")) write(table);
const broken = reports.flatMap(failures);
if (hashes.size !== 1) broken.push(`${hashes.size} different hashes: ${[...hashes].join(", ")}`);
for (const failure of broken) console.error(failure);
if (broken.length > 0) process.exitCode = 1;
else console.log(`${reports.length} runtimes, one hash: ${[...hashes]}`);

/** One runtime after another, so that they do not slow each other down. */
async function run() {
  const project = installPackage();
  try {
    const reports = [];
    for (const name of Object.keys(RUNTIMES)) reports.push(await runSuiteIn(name, project.directory));
    return reports;
  } finally {
    project.remove();
  }
}

function stored() {
  const files = existsSync(REPORTS) ? readdirSync(REPORTS).filter((name) => name.endsWith(".json")) : [];
  return files.sort().map((name) => JSON.parse(readFileSync(new URL(name, REPORTS), "utf8")));
}

function line({ runtime, build, threads, works, missing, logitsSha256, loadMs, tokensPerSecond }) {
  const number = (value) => (value ? Math.round(value).toLocaleString("en-US") : "");
  const name = threads > 1 ? `${build}, ${threads} threads` : build;
  const verdict = works ? "yes" : missing ? "not there" : "**no**";
  const hash = logitsSha256 ? `\`${logitsSha256.slice(0, 16)}…\`` : "";
  return `| ${runtime} | ${name} | ${verdict} | ${hash} | ${number(loadMs)} | ${number(tokensPerSecond)} |`;
}

function write(table) {
  const text = readFileSync(README, "utf8");
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END, begin);
  if (begin < 0 || end < 0) throw new Error(`README.md lacks ${BEGIN.trim()} or ${END}`);
  writeFileSync(README, text.slice(0, begin + BEGIN.length) + table + text.slice(end));
}
