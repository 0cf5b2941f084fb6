// Runs the official JSON-Schema-Test-Suite (https://github.com/json-schema-org/JSON-Schema-Test-Suite) through structured output:
//
//     node test/checks/json_schema_suite.mjs FOLDER/tests/draft2020-12 [FOLDER/tests/draft7 ...]
//
// What dice write for each group's schema has to be valid (Ajv), what the suite calls invalid must not be possible, and what is refused
// has a place. Prints what is refused, and how many of the texts that the suite calls valid are possible.

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import Ajv7 from "ajv";
import Ajv2020 from "ajv/dist/2020.js";
import { sources } from "../support/grammar_sources.mjs";

const TEXTS = 12;
const { schema: formatOf, takes, throwDice } = (await sources()).harness;
const totals = { groups: 0, refused: 0, wrong: 0, possible: 0, valid: 0, unjudged: 0 };

for (const folder of process.argv.slice(2)) {
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort()) {
    for (const group of JSON.parse(readFileSync(path.join(folder, file), "utf8"))) check(group, folder, file);
  }
}
console.log(
  `${totals.groups} groups: ${totals.refused} refused, ${totals.wrong} wrong, ${totals.unjudged} not judged by Ajv; ` +
    `${totals.possible} of ${totals.valid} valid texts are possible`,
);
if (totals.groups === 0 || totals.wrong > 0) process.exitCode = 1;

function check({ description, schema, tests }, folder, file) {
  const where = `${path.basename(folder)}/${file}: ${description}`;
  totals.groups++;
  try {
    for (let seed = 1; seed <= TEXTS; seed++) {
      const { text, complete } = throwDice(formatOf(schema), 5 + 6 * seed, seed);
      if (!complete) complain(where, `is not complete: ${text}`);
      judge(schema, text, folder, where);
    }
    for (const { data, valid } of tests) {
      const isPossible = takes(formatOf(schema), JSON.stringify(data));
      if (valid) totals.valid++;
      if (valid && isPossible) totals.possible++;
      if (!valid && isPossible) complain(where, `takes ${JSON.stringify(data)}`);
    }
  } catch (error) {
    if (error.code !== "BAD_SCHEMA" || !error.field) return complain(where, error.stack);
    totals.refused++;
    console.log(`refused  ${where}\n         ${error.message}`);
  }
}

function judge(schema, text, folder, where) {
  const options = { strict: false, validateSchema: false, validateFormats: false, ownProperties: true, logger: false };
  const ajv = folder.includes("2020") ? new Ajv2020(options) : new Ajv7(options);
  let validate;
  try {
    validate = ajv.compile(schema);
  } catch {
    totals.unjudged += 1 / TEXTS;
    return;
  }
  if (!validate(JSON.parse(text))) complain(where, `${text}: ${ajv.errorsText(validate.errors)}`);
}

function complain(where, what) {
  totals.wrong++;
  console.log(`WRONG    ${where}\n         ${what}`);
}
