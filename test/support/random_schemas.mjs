// Random JSON Schemas of everything that the runtime guarantees, and a judge of what was written for them.

import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import fc from "fast-check";

const PATTERNS = [
  "^[A-Z]{2}-\\d{3,5}$",
  "^(yes|no|maybe)$",
  "^\\w+@\\w+$",
  "(a|bc)+d?",
  "^[^a-z\\s]{1,4}$",
  "^x?\\.$",
  "^(?!no$)[a-z]{1,5}$",
  "^(?=.{2,4}$)\\p{L}+$",
  "\\bcat\\b",
  "^[a-z-]*(?<!-)$",
];
const FORMATS = ["date", "time", "date-time", "duration", "uuid", "email", "hostname", "ipv4", "ipv6", "uri"];
const KEYS = [
  "a",
  "name",
  "ab",
  "abc",
  'q"uote',
  "è",
  "with space",
  "",
  "constructor",
  "back\\slash",
  "new\nline",
  "😀",
];

const optional = (arbitrary) => fc.option(arbitrary, { nil: undefined, freq: 2 });
const defined = (schema) => Object.fromEntries(Object.entries(schema).filter(([, value]) => value !== undefined));
const key = fc.constantFrom(...KEYS);
const scalar = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.integer({ min: -1000, max: 1000 }),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom(0.5, 1e21, -2.25e-7),
);

const string = fc.oneof(
  fc.constant({ type: "string" }),
  fc
    .tuple(fc.nat(4), fc.nat(6))
    .map(([least, more]) => ({ type: "string", minLength: least, maxLength: least + more })),
  fc.constantFrom(...PATTERNS).map((pattern) => ({ type: "string", pattern })),
  fc.constantFrom(...FORMATS).map((format) => ({ type: "string", format })),
  fc
    .tuple(fc.constantFrom(...PATTERNS), fc.nat(3), fc.nat(5))
    .map(([pattern, least, more]) => ({ type: "string", pattern, minLength: least, maxLength: least + more })),
  fc
    .array(fc.constantFrom("a", "ab", "", "è"), { minLength: 1, maxLength: 3 })
    .map((values) => ({ type: "string", not: { enum: values } })),
);

function bounded(type, value) {
  return fc
    .tuple(
      value,
      value,
      fc.constantFrom("minimum", "exclusiveMinimum", ""),
      fc.constantFrom("maximum", "exclusiveMaximum", ""),
    )
    .map(([a, b, low, high]) => ({
      type,
      ...(low ? { [low]: Math.min(a, b) } : {}),
      ...(high ? { [high]: Math.max(a, b) + 1 } : {}),
    }));
}
const decimal = fc.tuple(fc.integer({ min: -99999, max: 99999 }), fc.nat(4)).map(([n, places]) => n / 10 ** places);
const numeric = fc.oneof(
  bounded("integer", fc.oneof(fc.integer({ min: -20, max: 200 }), fc.integer())),
  bounded("number", fc.oneof(decimal, fc.integer())),
  fc
    .tuple(
      fc.constantFrom("integer", "number"),
      fc.constantFrom(1, 3, 7, 25, 100, 0.5, 0.01),
      bounded("integer", fc.integer({ min: -500, max: 500 })),
    )
    .map(([type, multipleOf, bounds]) => ({ ...bounds, type, multipleOf })),
);

const listed = fc.oneof(
  fc
    .array(fc.oneof(scalar, fc.array(scalar, { maxLength: 2 })), { minLength: 1, maxLength: 4 })
    .map((values) => ({ enum: values })),
  scalar.map((value) => ({ const: value })),
);
const simple = fc.oneof(
  string,
  numeric,
  listed,
  fc.constantFrom(
    { type: "boolean" },
    { type: "null" },
    { type: ["integer", "null"] },
    { type: ["string", "boolean"], maxLength: 3 },
  ),
);

const { schema } = fc.letrec((tie) => {
  const inner = tie("schema");
  const properties = fc.dictionary(key, inner, { maxKeys: 4 });
  const object = fc
    .tuple(
      properties,
      fc.array(key, { maxLength: 2 }),
      optional(fc.oneof(fc.boolean(), inner)),
      fc.nat(5),
      optional(fc.nat(2)),
      fc.nat(3),
    )
    .map(([properties, extra, additionalProperties, take, least, more]) => {
      const names = Object.keys(properties);
      const required = [
        ...new Set([...names.slice(0, take), ...(additionalProperties === false ? [] : extra.slice(0, 1))]),
      ];
      const sizes = least === undefined ? {} : { minProperties: least, maxProperties: required.length + least + more };
      return defined({ type: "object", properties, required, additionalProperties, ...sizes });
    });
  const record = fc.tuple(fc.constantFrom("^[a-c]{1,2}$", "^x-"), inner).map(([pattern, value]) => ({
    type: "object",
    patternProperties: { [pattern]: value },
    additionalProperties: false,
  }));
  const array = fc
    .tuple(optional(fc.array(inner, { maxLength: 2 })), optional(inner), fc.nat(2), fc.nat(2))
    .map(([prefixItems, items, least, more]) =>
      defined({
        type: "array",
        prefixItems,
        items,
        minItems: items ? least : undefined,
        maxItems: (prefixItems?.length ?? 0) + least + more,
      }),
    );
  const node = fc.tuple(inner, fc.boolean()).map(([value, list]) => ({
    type: "object",
    properties: {
      value,
      next: list
        ? { type: "array", items: { $ref: "#/$defs/node" }, maxItems: 2 }
        : { anyOf: [{ type: "null" }, { $ref: "#/$defs/node" }] },
    },
    required: ["next"],
    additionalProperties: false,
  }));
  const few = fc.uniqueArray(scalar, { minLength: 1, maxLength: 4, selector: (value) => JSON.stringify(value) });
  const counted = fc
    .tuple(inner, inner, fc.nat(2), optional(fc.nat(2)), fc.nat(3))
    .map(([items, contains, minContains, more, maxItems]) =>
      defined({
        type: "array",
        items,
        contains,
        minContains,
        maxContains: more === undefined ? undefined : minContains + more,
        maxItems: minContains + maxItems,
      }),
    );
  const chosen = fc.oneof(
    fc.tuple(object, inner, inner, inner).map(([base, test, yes, no]) => conditional(base, test, yes, no)),
    fc.tuple(inner, inner).map(([a, b]) => ({ allOf: [a], not: b })),
    fc.array(inner, { minLength: 2, maxLength: 3 }).map((oneOf) => ({ oneOf })),
    fc.tuple(object, key, key).map(([base, a, b]) => ({ ...base, dependentRequired: { [a]: [b] } })),
    fc.tuple(object, key, object).map(([base, name, other]) => ({ ...base, dependentSchemas: { [name]: other } })),
    fc.tuple(object, object).map(([a, b]) => ({ allOf: [a, { ...b, unevaluatedProperties: false }] })),
    fc.tuple(object, object).map(([a, b]) => ({ type: "object", allOf: [a, b], unevaluatedProperties: false })),
    fc
      .tuple(inner, inner)
      .map(([a, b]) => ({ type: "array", allOf: [{ prefixItems: [a, b] }], unevaluatedItems: false })),
    few.map((values) => ({ type: "array", items: { enum: values }, uniqueItems: true })),
    counted,
  );
  return {
    schema: fc.oneof(
      { maxDepth: 3, depthSize: "small" },
      { weight: 4, arbitrary: simple },
      { weight: 3, arbitrary: object },
      { weight: 1, arbitrary: record },
      { weight: 2, arbitrary: array },
      { weight: 1, arbitrary: fc.array(inner, { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })) },
      { weight: 1, arbitrary: fc.tuple(string, numeric).map((oneOf) => ({ oneOf })) },
      {
        weight: 1,
        arbitrary: fc.tuple(inner, inner).map(([a, b]) => ({
          oneOf: [
            { type: "object", properties: { kind: { const: "a" }, a }, required: ["kind"] },
            { type: "object", properties: { kind: { enum: ["b", "c"] }, b }, required: ["kind", "b"] },
          ],
        })),
      },
      { weight: 1, arbitrary: fc.tuple(object, object).map((allOf) => ({ allOf })) },
      { weight: 3, arbitrary: chosen },
      { weight: 1, arbitrary: node.map((node) => ({ $ref: "#/$defs/node", $defs: { node } })) },
      { weight: 1, arbitrary: fc.constantFrom(true, {}, { type: "object" }, { type: "array", maxItems: 2 }) },
    ),
  };
});

// biome-ignore lint/suspicious/noThenProperty: the keyword
const conditional = (base, test, yes, no) => ({ ...base, if: test, then: yes, else: no });

/** Definitions can be referred to from the root only, by their place or by their anchor. */
function hoisted(schema) {
  const definitions = [];
  const visit = (value) => {
    if (value === null || typeof value !== "object") return value;
    if (Array.isArray(value)) return value.map(visit);
    if (!value.$defs) return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, visit(inner)]));
    const name = `node${definitions.length}`;
    definitions.push(name);
    const at = definitions.length - 1;
    const reference = at % 2 ? `#${name}` : `#/$defs/${name}`;
    const text = JSON.stringify(value.$defs.node).replaceAll('"#/$defs/node"', `"${reference}"`);
    definitions[at] = [name, { $anchor: name, ...visit(JSON.parse(text)) }];
    return { $ref: reference };
  };
  const root = visit(schema);
  return definitions.length > 0 ? { ...root, $defs: Object.fromEntries(definitions) } : root;
}

/** @type {fc.Arbitrary<unknown>} */
export const randomSchema = schema.map(hoisted);

/** What is wrong with a text that should be JSON of a schema; undefined: nothing. */
export function mistake(schema, text) {
  // Without a precision Ajv takes 1e21 / 0.01 for no integer, as parseInt reads 1e+23 as 1. Where it stops at the first error it takes a
  // required property "" for there: the name of what is missing is what it asks for the truth of.
  const options = {
    strict: false,
    validateSchema: false,
    ownProperties: true,
    multipleOfPrecision: 6,
    allErrors: true,
  };
  const ajv = new Ajv(options);
  addFormats(ajv);
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return error.message;
  }
  const validate = ajv.compile(schema);
  return validate(value) ? undefined : ajv.errorsText(validate.errors);
}

/**
 * Has a model write for a schema, with as few tokens as may be when `tokens` do not suffice.
 * @returns {Promise<{text: string, finishReason: string | undefined, refused?: string}>}
 */
export async function writeFor(model, schema, options) {
  const responseFormat = { type: "json_schema", schema };
  const ask = async (maxTokens) => {
    const completion = model.complete("JSON: ", { ...options, responseFormat, maxTokens });
    return { text: await completion.text(), finishReason: completion.finishReason };
  };
  try {
    return await ask(options.maxTokens);
  } catch (error) {
    if (error.code === "BAD_SCHEMA") return { text: "", finishReason: undefined, refused: error.message };
    const needed = error.code === "INVALID_OPTION" && /at least (\d+)/.exec(error.message)?.[1];
    if (!needed) throw error;
    return await ask(Number(needed));
  }
}
