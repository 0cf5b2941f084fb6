// llama.cpp's own tests of grammars and schemas, read from the source that node-llama-cpp's package carries: none of the strings that must
// fail is accepted, and those that a grammar must take are.
//
//     npm ci --prefix test/oracle && node test/oracle/grammar.mjs

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sources } from "../support/grammar_sources.mjs";

const BUNDLE = fileURLToPath(new URL("./node_modules/node-llama-cpp/llama/gitRelease.bundle", import.meta.url));
const FILE = "tests/test-grammar-integration.cpp";
const LEAST = 300;

const { grammar, schema, takes } = (await sources()).harness;
const counts = { strings: 0, wrong: 0, refused: 0, schemaTexts: 0, possible: 0 };
for (const call of calls(source())) check(call);
console.log(
  `${counts.strings} strings, ${counts.wrong} wrong; ${counts.refused} grammars and schemas refused; ` +
    `${counts.possible} of ${counts.schemaTexts} texts that a schema allows are possible`,
);
if (counts.strings < LEAST || counts.wrong > 0) process.exitCode = 1;

function check({ kind, name, text, passing, failing }) {
  const format = kind === "test_schema" ? schema(JSON.parse(text)) : grammar(text);
  const taken = (string) => {
    counts.strings++;
    return takes(format, string);
  };
  try {
    for (const string of failing) if (taken(string)) complain(name, `takes ${JSON.stringify(string)}`);
    for (const string of passing) {
      const isTaken = taken(string);
      if (kind === "test_grammar" && !isTaken) complain(name, `does not take ${JSON.stringify(string)}`);
      if (kind !== "test_schema") continue;
      counts.schemaTexts++;
      if (isTaken) counts.possible++;
    }
  } catch (error) {
    if (error.name !== "ZagreusError") throw error;
    counts.refused++;
    console.log(`refused  ${name}: ${error.message}`);
  }
}

function complain(name, what) {
  counts.wrong++;
  console.log(`WRONG    ${name}: ${what}`);
}

function source() {
  const folder = mkdtempSync(join(tmpdir(), "zagreus-llama-"));
  try {
    execFileSync("git", ["clone", "--quiet", "--bare", BUNDLE, folder]);
    return execFileSync("git", ["-C", folder, "show", `HEAD:${FILE}`], { encoding: "utf8" });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The calls test_grammar(name, grammar, {strings that pass}, {strings that fail}), and those of test_schema. */
function calls(code) {
  const tokens = [...code.matchAll(/\/\/[^\n]*|R"""\(([\s\S]*?)\)"""|"((?:[^"\\\n]|\\.)*)"|[{}();,]|\w+/g)];
  const found = [];
  for (let i = 0; i < tokens.length; i++) {
    const [kind] = tokens[i];
    if (!/^test_(grammar|schema)$/.test(kind) || tokens[i + 1]?.[0] !== "(") continue;
    const parts = [];
    const lists = [];
    let isList = false;
    for (i += 2; tokens[i][0] !== ";"; i++) {
      const [token, raw, quoted] = tokens[i];
      const string = raw ?? (quoted === undefined ? undefined : unescaped(quoted));
      if (token === "{") lists.push([]);
      if (token === "{" || token === "}") isList = token === "{";
      if (string !== undefined) addString(isList ? lists.at(-1) : parts, string, tokens[i - 1][0]);
    }
    // The definitions of both functions have no strings.
    if (parts.length === 2 && lists.length === 2)
      found.push({ kind, name: parts[0], text: parts[1], passing: lists[0], failing: lists[1] });
  }
  return found;
}

/** Strings that stand beside each other are one. */
function addString(list, string, before) {
  if (before === "," || before === "{" || before === "(" || before.startsWith("//")) list.push(string);
  else list.push((list.pop() ?? "") + string);
}

function unescaped(text) {
  return text.replace(/\\(?:x([0-9a-fA-F]{2})|(.))/g, (_, hex, char) => {
    if (hex) return String.fromCharCode(Number.parseInt(hex, 16));
    return { n: "\n", t: "\t", r: "\r", 0: "\0" }[char] ?? char;
  });
}
