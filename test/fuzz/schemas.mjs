// Random JSON Schemas, well formed and not: refused with a code, or cheap, and what is written for them is valid.

import fc from "fast-check";
import { mistake, randomSchema } from "../support/random_schemas.mjs";
import { write } from "./cost.mjs";

const KEYWORDS = [
  "not",
  "if",
  "then",
  "anyOf",
  "oneOf",
  "allOf",
  "items",
  "contains",
  "$ref",
  "pattern",
  "enum",
].concat(
  ["required", "properties", "additionalProperties", "minItems", "maxItems", "minProperties", "uniqueItems", "format"], // biome-ignore format: as above
);
const VALUES = [
  {},
  true,
  false,
  null,
  [],
  "#",
  "(a+)+$",
  -1,
  1e308,
  2 ** 40,
  ["a"],
  [{}, { $ref: "#" }],
  { $ref: "#" },
];

/** One schema. @param random gives numbers from 0 up to 1 @param watch does what it is given @throws Error with the schema in its message */
export async function run(random, watch) {
  const [schema] = fc.sample(randomSchema, { seed: Math.floor(random() * 2 ** 31), numRuns: 1 });
  const isBroken = random() < 0.3;
  const given = isBroken ? broken(schema, random) : schema;
  try {
    const written = await write({ type: "json_schema", schema: given }, random, watch);
    if (!written?.complete || isBroken) return;
    const wrong = mistake(given, written.text);
    if (wrong) throw new Error(`${wrong}: ${written.text}`);
  } catch (error) {
    throw new Error(`${error.message}\n${JSON.stringify(given)}`, { cause: error });
  }
}

const one = (list, random) => list[Math.floor(random() * list.length)];

/** With some keywords somewhere that say something else. */
function broken(schema, random) {
  if (typeof schema !== "object" || schema === null) return { [one(KEYWORDS, random)]: one(VALUES, random) };
  if (Array.isArray(schema)) return schema.map((item) => (random() < 0.5 ? broken(item, random) : item));
  const result = { ...schema };
  if (random() < 0.5) result[one(KEYWORDS, random)] = one(VALUES, random);
  const inner = one(Object.keys(result), random);
  if (inner !== undefined && random() < 0.7) result[inner] = broken(result[inner], random);
  return result;
}
