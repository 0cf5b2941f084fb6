// JSON Schemas as grammars: what each keyword lets through, what cannot be guaranteed, and hostile schemas.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { finish, schemaToGrammar } from "../../../host/core/grammar/index.js";
import { caught } from "../../support/nano.js";
import { mistake, randomSchema } from "../../support/random_schemas.mjs";
import { turn } from "../../support/turn";
import { createConstraint, schema, takes, throwDice, vocabulary } from "./grammar_harness.js";

/** Every value is compact JSON. */
const CASES: [name: string, schema: unknown, valid: string[], invalid: string[]][] = [
  ["anything", true, ["1", '"a"', "[]", '{"a":[null,true]}', "-1.5e3"], ["", "{", "01", "nul", '{"a" :1}']],
  ["compact or with one space", {}, ['{"a": [1, 2],"b":3}'], ['{ "a":1}', '{"a":  1}', "[1 ]", "\n1"]],
  [
    "escapes",
    { type: "string" },
    [String.raw`"\"\\\/\b\n\u00e8\uD7ff"`, '"è😀"'],
    [String.raw`"\ud83d"`, '"\n"', String.raw`"\x"`],
  ],
  ["types", { type: ["integer", "null"] }, ["null", "-12", "0"], ["1.5", '"a"', "-"]],
  [
    "lengths in characters",
    { type: "string", minLength: 2, maxLength: 3 },
    ['"ab"', '"è😀€"', String.raw`"\u0041\n"`],
    ['"a"', '"abcd"'],
  ],
  ["enum", { enum: ["a", 1, null, { b: [] }] }, ['"a"', "1", "null", '{"b":[]}'], ['"b"', "2"]],
  ["enum with a type", { type: "string", enum: ["a", 1] }, ['"a"'], ["1"]],
  ["enum with bounds", { enum: [1, 5, "abc"], minimum: 2, maxLength: 2 }, ["5"], ["1", '"abc"']],
  [
    "values that differ in a member called path",
    { type: "object", properties: { a: { const: { path: 1 } }, b: { const: { path: 2 } } }, required: ["a", "b"] },
    ['{"a":{"path":1},"b":{"path":2}}'],
    ['{"a":{"path":1},"b":{"path":1}}', '{"a":{"path":2},"b":{"path":2}}'],
  ],
  ["const", { const: 'q"' }, [String.raw`"q\""`], ['"q"']],
  [
    "integers",
    { type: "integer", minimum: -12, exclusiveMaximum: 105 },
    ["-12", "-9", "0", "9", "10", "104"],
    ["-13", "105", "-0", "007", "1.0"],
  ],
  [
    "large integers",
    { type: "integer", minimum: 1234 },
    ["1234", "1999", "2000", "99999", "999999999999999"],
    ["1233", "999"],
  ],
  ["integers between decimals", { type: "integer", minimum: 0.5, maximum: 2.5 }, ["1", "2"], ["0", "3"]],
  [
    "numbers",
    { type: "number", exclusiveMinimum: 0.25, maximum: 3 },
    ["0.26", "0.3", "1", "2.999", "3.0"],
    ["0.25", "0.2", "3.01", "0.2500"],
  ],
  [
    "numbers around 0",
    { type: "number", minimum: -1.5, maximum: 0.5 },
    ["-1.5", "-1", "-0.75", "0", "0.0", "0.5"],
    ["-1.51", "0.51", "-2"],
  ],
  ["multiples", { type: "integer", multipleOf: 7, minimum: 20 }, ["21", "28", "700"], ["14", "22"]],
  [
    "decimal multiples",
    { type: "number", multipleOf: 0.5, minimum: -1, maximum: 1 },
    ["-1", "-0.5", "0", "0.5", "1"],
    ["0.25", "1.5"],
  ],
  ["32 bits", { type: "integer", format: "int32" }, ["2147483647", "-2147483648"], ["2147483648", "-2147483649"]],
  ["patterns", { type: "string", pattern: "^[A-Z]{2}-\\d+$" }, ['"AB-1"', '"XY-007"'], ['"A-1"', '"ABC-1"', '"AB-"']],
  ["patterns anywhere", { type: "string", pattern: "b+" }, ['"b"', '"abbc"'], ['"ac"']],
  [
    "patterns with JSON's escapes",
    { type: "string", pattern: '^["\\\\\\n]$' },
    [String.raw`"\""`, String.raw`"\\"`, String.raw`"\n"`],
    ['"a"'],
  ],
  [
    "dates",
    { type: "string", format: "date" },
    ['"2024-02-29"', '"1999-12-31"'],
    ['"2023-02-29"', '"1999-13-01"', '"1999-11-31"'],
  ],
  [
    "times",
    { type: "string", format: "date-time" },
    ['"2024-05-01T23:59:59.123Z"', '"2024-05-01T00:00:00+02:00"'],
    ['"2024-05-01"'],
  ],
  ["identifiers", { type: "string", format: "uuid" }, ['"123e4567-e89b-42d3-a456-426614174000"'], ['"123e4567"']],
  [
    "properties in order",
    { type: "object", properties: { a: { const: 1 }, b: { const: 2 }, c: { const: 3 } }, required: ["b"] },
    ['{"b":2}', '{"a":1,"b":2}', '{"b":2,"c":3}', '{"a": 1, "b": 2, "c": 3}'],
    ["{}", '{"a":1}', '{"b":2,"a":1}', '{"b":2,"d":4}', '{"b":2,}'],
  ],
  ["no properties", { type: "object", properties: {} }, ["{}"], ['{"a":1}']],
  ["required but not declared", { type: "object", required: ["x"] }, ['{"x":1}', '{"x":1,"y":[]}'], ["{}", '{"y":1}']],
  [
    "additional properties",
    { type: "object", properties: { ab: { type: "null" } }, additionalProperties: { type: "integer" } },
    ['{"ab":null,"a":1}', '{"abc":2,"":3}', "{}"],
    ['{"ab":1}', '{"a":null}', '{"a":1,"ab":2}', String.raw`{"\u0061b":1}`],
  ],
  ["no __proto__ but a declared one", { type: "object" }, ['{"_proto":1}'], ['{"__proto__":1}']],
  [
    "numbers of properties",
    { type: "object", properties: { a: { const: 1 }, b: { const: 1 } }, minProperties: 1, maxProperties: 1 },
    ['{"a":1}'],
    ["{}", '{"a":1,"b":1}'],
  ],
  [
    "pattern properties",
    { type: "object", patternProperties: { "^x": { type: "integer" } }, additionalProperties: false },
    ['{"x1":1,"xy":2}', "{}"],
    ['{"y":1}', '{"x":"a"}'],
  ],
  [
    "names",
    { type: "object", propertyNames: { enum: ["p", "q"] }, additionalProperties: { type: "boolean" } },
    ['{"p":true}', '{"p":true,"q":false}', "{}"],
    ['{"r":true}'],
  ],
  [
    "arrays",
    { type: "array", items: { type: "integer" }, minItems: 1, maxItems: 3 },
    ["[1]", "[1,2, 3]"],
    ["[]", "[1,2,3,4]", '["a"]', "[1,]"],
  ],
  [
    "tuples",
    { type: "array", prefixItems: [{ type: "null" }, { type: "integer" }], minItems: 1 },
    ["[null]", "[null,1]"],
    ["[]", "[1]", "[null,1,2]"],
  ],
  [
    "tuples that go on",
    { type: "array", items: [{ type: "null" }], additionalItems: { type: "integer" } },
    ["[]", "[null,1,2]"],
    ["[1]", "[null,null]"],
  ],
  ["no more than one unique item", { type: "array", uniqueItems: true, maxItems: 1 }, ["[]", "[1]"], ["[1,1]"]],
  ["anyOf", { anyOf: [{ type: "integer" }, { const: "a" }] }, ["1", '"a"'], ["null"]],
  [
    "anyOf beside other keywords",
    {
      type: "object",
      properties: { a: { type: "integer" } },
      required: ["a"],
      anyOf: [{ properties: { a: { minimum: 5 } } }, { properties: { a: { maximum: 1 } } }],
    },
    ['{"a":5}', '{"a":1}'],
    ['{"a":3}', "{}"],
  ],
  [
    "oneOf by a constant",
    {
      oneOf: [
        { type: "object", properties: { k: { const: "a" } }, required: ["k"] },
        { type: "object", properties: { k: { const: "b" }, v: { type: "null" } }, required: ["k", "v"] },
      ],
    },
    ['{"k":"a"}', '{"k":"b","v":null}'],
    ['{"k":"b"}'],
  ],
  [
    "allOf",
    {
      allOf: [
        { type: "object", properties: { a: { type: "integer" } }, required: ["a"] },
        { properties: { a: { minimum: 3 }, b: { type: "null" } } },
      ],
    },
    ['{"a":3}', '{"a":4,"b":null}'],
    ['{"a":2}', '{"b":null}'],
  ],
  [
    "references",
    {
      $defs: {
        n: {
          type: "object",
          properties: { next: { anyOf: [{ $ref: "#/$defs/n" }, { type: "null" }] } },
          required: ["next"],
        },
      },
      $ref: "#/$defs/n",
    },
    ['{"next":null}', '{"next":{"next":{"next":null}}}'],
    ["{}", '{"next":1}'],
  ],
  ["references to escaped names", { $defs: { "a/b~c %": { const: 1 } }, $ref: "#/$defs/a~1b~0c%20%25" }, ["1"], ["2"]],
  [
    "a reference with more to say",
    { $defs: { s: { type: "string" } }, $ref: "#/$defs/s", maxLength: 1 },
    ['"a"'],
    ['"ab"'],
  ],
];

test.each(CASES)("%s", (_, given, valid, invalid) => {
  for (const text of valid) expect(takes(schema(given), text), text).toBe(true);
  for (const text of invalid) expect(takes(schema(given), text), text).toBe(false);
});

const cases = (name: string, schema: unknown, valid: unknown[], invalid: unknown[]) =>
  [name, schema, valid.map((value) => JSON.stringify(value)), invalid.map((value) => JSON.stringify(value))] as const;
const closed = { type: "object", unevaluatedProperties: false } as const;
const text = { type: "string" } as const;

/** What is understood by choosing one of the ways in which it can hold. */
const CHOSEN = [
  cases(
    "if, then and else",
    {
      type: "object",
      properties: { kind: { enum: ["a", "b"] }, x: { type: "integer" } },
      required: ["kind"],
      if: { properties: { kind: { const: "a" } } },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { required: ["x"] },
      else: { properties: { x: false } },
    },
    [{ kind: "a", x: 1 }, { kind: "b" }],
    [{ kind: "a" }, { kind: "b", x: 1 }],
  ),
  cases("not a type", { not: { type: ["string", "array", "object"] } }, [1, 1.5, null, true], ["a", [], {}]),
  cases("not an integer", { type: "number", not: { type: "integer" } }, [1.5, -0.25], [1, 0]),
  cases("not some values", { type: ["string", "integer"], not: { enum: ["a", 3] } }, ["b", "", 2, 4], ["a", 3]),
  cases(
    "not a property",
    { type: "object", properties: { a: text, b: text }, not: { required: ["a"] } },
    [{ b: "x" }, {}],
    [{ a: "x" }],
  ),
  cases("never", { type: "object", properties: { a: { not: {} }, b: text } }, [{ b: "" }], [{ a: 1 }]),
  cases(
    "options that overlap",
    {
      oneOf: [
        { type: "integer", minimum: 2 },
        { type: "integer", maximum: 5 },
      ],
    },
    [1, 6],
    [2, 5],
  ),
  cases(
    "options that overlap in what they require",
    {
      type: "object",
      properties: { a: text, b: text },
      oneOf: [{ required: ["a"] }, { required: ["b"] }],
    },
    [{ a: "" }, { b: "" }],
    [{}, { a: "", b: "" }],
  ),
  cases(
    "what depends on a property",
    {
      type: "object",
      properties: { card: text, address: text, zip: text },
      dependentRequired: { card: ["address"] },
      dependentSchemas: { zip: { properties: { address: { minLength: 1 } }, required: ["address"] } },
    },
    [{}, { card: "", address: "" }, { address: "a", zip: "" }],
    [{ card: "" }, { zip: "" }, { address: "", zip: "" }],
  ),
  cases(
    "items that have to be there",
    {
      type: "array",
      items: { type: "integer" },
      contains: { minimum: 5 },
      minContains: 1,
      maxContains: 2,
      maxItems: 4,
    },
    [[5], [1, 5, 2], [5, 6, 1]],
    [[], [1, 2], [5, 6, 7], ["a", 5]],
  ),
  cases("different items of an enum", { type: "array", items: { enum: ["a", "b", "c"] }, uniqueItems: true }, [[], ["c", "a"], ["b", "c", "a"]], [["a", "a"], ["a", "b", "a"]]), // biome-ignore format: one line
  cases(
    "different items of a long enum, in its order",
    { type: "array", items: { enum: [..."abcdefghijklmnop"] }, uniqueItems: true, minItems: 2 },
    [["a", "p"], [..."abcdefghijklmnop"]],
    [["a"], ["a", "a"]],
  ),
  cases("different integers of few", { type: "array", items: { type: "integer", exclusiveMinimum: 0, maximum: 3 }, uniqueItems: true }, [[], [3, 1, 2]], [[1, 1], [0], [4]]), // biome-ignore format: one line
  cases("different items of a tuple", { type: "array", prefixItems: [{ type: "boolean" }, { type: "boolean" }], uniqueItems: true }, [[true, false]], [[true, true]]), // biome-ignore format: one line
  cases("a cousin is not seen", { ...closed, allOf: [{ properties: { a: text } }] }, [{ a: "" }], [{ b: "" }]),
  cases("anchors", { $ref: "#a", $defs: { x: { $anchor: "a", type: "integer" } } }, [1], ["a"]),
  cases(
    "ids and what is relative to them",
    { $id: "https://e.it/root", $ref: "part", $defs: { x: { $id: "part", $ref: "#/$defs/y", $defs: { y: text } } } },
    ["a"],
    [1],
  ),
  cases(
    "a root that is extended where it is meant",
    { $id: "https://e.it/tree", $dynamicAnchor: "node", type: "array", items: { $dynamicRef: "#node" }, maxItems: 1 },
    [[], [[]], [[[]]]],
    [[1], [[], []]],
  ),
  cases("a pattern and a length", { ...text, pattern: "^[a-c]+$", minLength: 2, maxLength: 3 }, ["ab", "abc"], ["a", "abca", "xy"]), // biome-ignore format: one line
  cases("two patterns", { allOf: [{ ...text, pattern: "a" }, { pattern: "b$" }] }, ["ab", "xaxb"], ["b", "ba"]),
  cases("lookahead", { ...text, pattern: "^(?!admin$)(?=.{3,5}$)[a-z]+$" }, ["abc", "admi"], ["admin", "ab"]),
  cases("lookbehind", { ...text, pattern: "^[a-z-]+(?<!-)$" }, ["a", "a-b"], ["a-"]),
  cases("letters of any script", { ...text, pattern: "^\\p{L}+$" }, ["è", "λόγος"], ["1", "a b"]),
  cases("the ends of words", { ...text, pattern: "\\bcat\\b" }, ["cat", "a cat!"], ["cats", "concat"]),
  cases("all safe integers", { type: "integer" }, [9007199254740991, -9007199254740991], [1.5]),
  cases("large bounds", { type: "integer", minimum: 9007199254740990 }, [9007199254740991], [9007199254740989]),
  cases("beyond them", { type: "number", minimum: 1e300 }, [1e300], [1]),
  cases("several patterns of names", { type: "object", patternProperties: { "^x": { type: "integer" }, y$: { minimum: 5 } }, additionalProperties: false }, [{ x: 1, xy: 5 }], [{ xy: 1 }, { z: 1 }]), // biome-ignore format: one line
  cases("names that are bounded", { type: "object", propertyNames: { maxLength: 2, not: { const: "no" } } }, [{ ab: 1 }], [{ abc: 1 }, { no: 1 }]), // biome-ignore format: one line
  cases("as many names as are wanted", { type: "object", minProperties: 3, additionalProperties: { type: "integer" } }, [{ a: 1, k: 2, z: 3 }], [{ a: 1, k: 2 }, {}]), // biome-ignore format: one line
  cases("any of the properties that there is room for", { type: "object", properties: { a: text, b: text }, maxProperties: 1 }, [{ a: "" }, { b: "" }, {}], [{ a: "", b: "" }]), // biome-ignore format: one line
  cases("a list of values beside other keywords", { enum: [[1], [1, 2], { a: 1 }, {}], minItems: 2, required: ["a"] }, [[1, 2], { a: 1 }], [[1], {}]), // biome-ignore format: one line
  cases("formats that nobody checks", { ...text, format: "color" }, ["red", ""], [1]),
  cases("draft 4's bounds", { type: "integer", minimum: 3, exclusiveMinimum: true }, [4], [3]),
];

test.each(CHOSEN)("%s", (_, given, valid, invalid) => {
  for (const text of valid) expect(takes(schema(given), text), text).toBe(true);
  for (const text of invalid) expect(takes(schema(given), text), text).toBe(false);
});

test("what is not seen to be evaluated is refused", () => {
  const refused = [
    { ...closed, allOf: [{ properties: { name: text }, required: ["name"] }, closed] },
    { $ref: "#/$defs/closed", properties: { city: text }, required: ["city"], $defs: { closed } },
    { type: "array", minItems: 1, allOf: [{ prefixItems: [{ type: "number" }] }, { unevaluatedItems: false }] },
  ];
  for (const given of refused) expect(() => createConstraint(schema(given), vocabulary)).toThrow(/nothing is valid/);
});

test("a name of 60,000 characters", () => {
  const given = { type: "object", properties: { ["k".repeat(60_000)]: text }, additionalProperties: true };
  expect(takes(schema(given), '{"k":1}')).toBe(true);
});

test("a pattern beside a format, as zod writes them", () => {
  const email =
    "^(?:[A-Za-z0-9_'+\\-]+\\.)*[A-Za-z0-9_'+\\-]*[A-Za-z0-9_+-]@(?:[A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$";
  expect(takes(schema({ type: "string", format: "email", pattern: email }), '"a.b@c.it"')).toBe(true);
  const zulu = { type: "string", format: "time", pattern: "^\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$" };
  expect(takes(schema(zulu), '"10:20:30Z"')).toBe(true);
  expect(takes(schema(zulu), '"10:20:30+01:00"')).toBe(false);
  expect(takes(schema({ type: "string", format: "cuid", pattern: "^c[0-9a-z]{6,}$" }), '"c123456"')).toBe(true);
  const other = { type: "string", format: "date", pattern: "^a$" };
  expect(() => createConstraint(schema(other), vocabulary)).toThrow(/nothing is valid/);
});

test("exactly the numbers of a range", () => {
  const near = fc.tuple(fc.integer({ min: -1300, max: 1300 }), fc.nat(130), fc.nat(2), fc.boolean(), fc.boolean());
  fc.assert(
    fc.property(near, ([first, more, places, above, below]) => {
      const [low, high] = [first / 10 ** places, (first + more) / 10 ** places];
      const type = places === 0 ? "integer" : "number";
      const given = {
        type,
        [above ? "exclusiveMinimum" : "minimum"]: low,
        [below ? "exclusiveMaximum" : "maximum"]: high,
      };
      const isIn = (value: number) => (above ? value > low : value >= low) && (below ? value < high : value <= high);
      const format = schema(given);
      const step = type === "integer" ? 1 : (high - low) / 2 || 1;
      if (![low, low + step, high].some(isIn)) {
        expect(() => createConstraint(format, vocabulary)).toThrow(/nothing is valid/);
        return;
      }
      for (let n = first - 3; n <= first + more + 3; n += 1 + Math.floor(more / 12)) {
        const text = (n / 10 ** places).toFixed(places);
        if (/^-0(\.0*)?$/.test(text)) continue;
        expect(takes(format, text), `${text} in ${JSON.stringify(given)}`).toBe(isIn(Number(text)));
      }
    }),
    { numRuns: 100, seed: 5 },
  );
});

test("json_object is any object", () => {
  const format = { type: "json_object" } as const;
  for (const text of ["{}", '{"a":{"b":[1,{}]}}']) expect(takes(format, text), text).toBe(true);
  for (const text of ["[]", "1", "{}{}", " {}"]) expect(takes(format, text), text).toBe(false);
});

describe("what cannot be guaranteed is refused, with its path", () => {
  const REFUSED: [schema: unknown, field: string][] = [
    [false, "#"],
    [{ not: {} }, "#/not"],
    [{ allOf: [{ $ref: "#/$defs/none" }], $defs: { none: { enum: [] } } }, "#/$defs/none"],
    [{ type: "string", anyOf: [false, { type: "integer" }] }, "#/anyOf"],
    [
      {
        type: "object",
        properties: { a: {} },
        required: ["a"],
        unevaluatedProperties: false,
        not: { required: ["a"] },
      },
      "#",
    ],
    [{ type: "object", minProperties: 30 }, "#/minProperties"],
    [{ type: "array", items: { type: "string" }, uniqueItems: true }, "#/uniqueItems"],
    [{ type: "string", pattern: "^((?=a)a)+$" }, "#/pattern"],
    [{ oneOf: [true, true] }, "#"],
    [{ $dynamicRef: "#a", $defs: { a: { $dynamicAnchor: "a" } } }, "#/$dynamicRef"],
    [{ $ref: "https://example.com/other" }, "#/$ref"],
    [{ type: "string", pattern: "(a)\\1" }, "#/pattern"],
    [{ type: "string", pattern: "[" }, "#/pattern"],
    [{ $ref: "other.json" }, "#/$ref"],
    [{ $ref: "#/$defs/none" }, "#/$ref"],
    [{ $ref: "#" }, "#/$ref"],
    [{ $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } }, $ref: "#/$defs/a" }, "#/$defs/a/$ref"],
    [{ anyOf: [{ $ref: "#" }, { type: "null" }] }, "#"],
    [{ type: "object", properties: { next: { $ref: "#" } }, required: ["next"] }, "#"],
    [{ type: "integer", minimum: 5, maximum: 4 }, "#"],
    [{ type: "text" }, "#/type"],
    [{ type: "string", minLength: -1 }, "#/minLength"],
    [{ type: "integer", minimum: "1" }, "#/minimum"],
    [{ type: "object", properties: [] }, "#/properties"],
    [{ type: "object", required: [1] }, "#/required"],
    [{ properties: { "a/b": 1 } }, "#/properties/a~1b"],
    [{ enum: [1n] }, "#"],
  ];
  test.each(REFUSED)("%o", async (given, field) => {
    const error = await caught(() => createConstraint(schema(given), vocabulary));
    expect(error).toMatchObject({ name: "ZagreusError", code: "BAD_SCHEMA" });
    expect((error as { field: string }).field).toMatch(
      field === "#" ? /^#/ : new RegExp(`^${field.replace(/[$/]/g, "\\$&")}$`),
    );
  });
});

describe("hostile schemas are refused quickly", () => {
  const nested = (depth: number): unknown => {
    let inner: unknown = {};
    for (let i = 0; i < depth; i++) inner = { type: "array", items: inner };
    return inner;
  };
  const cyclic: Record<string, unknown> = { type: "array" };
  cyclic.items = cyclic;
  const HOSTILE: Record<string, unknown> = {
    deep: nested(100),
    "very deep": nested(50_000),
    "contains itself": cyclic,
    "many values": { enum: Array.from({ length: 100_000 }, (_, i) => i) },
    "a long text": { const: "x".repeat(2 ** 21) },
    "too many repetitions": {
      type: "array",
      items: { type: "array", items: { type: "string", maxLength: 9999 }, maxItems: 9999, minItems: 9999 },
      minItems: 99999999,
    },
    "an exploding pattern": { type: "string", pattern: `^(a|b)*a${"(a|b)".repeat(40)}$` },
    "repetitions of repetitions": { type: "string", pattern: "^(((a{9999}){9999}){9999}){9999}$" },
    "deep groups": { type: "string", pattern: `${"(".repeat(3000)}${")".repeat(3000)}` },
    "both of two that contain themselves": {
      $defs: {
        a: { type: "object", properties: { x: { $ref: "#/$defs/a" } }, required: ["x"] },
        b: { type: "object", properties: { x: { $ref: "#/$defs/b" } } },
      },
      allOf: [{ $ref: "#/$defs/a" }, { $ref: "#/$defs/b" }],
    },
  };
  test.each(Object.entries(HOSTILE))("%s", async (_, given) => {
    const begun = performance.now();
    const error = await caught(() => createConstraint(schema(given), vocabulary));
    expect(error).toMatchObject({ name: "ZagreusError", code: "BAD_SCHEMA" });
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  const doubling = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [
      `d${i}`,
      {
        allOf: [
          { anyOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}`, title: "x" }] },
          { anyOf: [{}, { minLength: i }] },
        ],
      },
    ]),
  );
  test("references that double are looked at once", () => {
    const given = { $defs: { ...doubling, d40: { type: "string" } }, $ref: "#/$defs/d0" };
    expect(takes(schema(given), JSON.stringify("x".repeat(40)))).toBe(true);
  });

  test("much is done in many steps, between which others get their turn", () => {
    const properties = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`p${i}`, text]));
    const anyOf = (first: number) => Array.from({ length: 40 }, (_, i) => ({ required: [`p${first + i}`] }));
    const given = { type: "object", properties, allOf: [{ anyOf: anyOf(0) }, { anyOf: anyOf(50) }] };
    const steps = schemaToGrammar(given, "root");
    let count = 0;
    const runAll = () => {
      while (!steps.next().done) count++;
    };
    expect(runAll).toThrow(/makes a grammar of more than/);
    expect(count).toBeGreaterThan(1000);
  });

  test("patterns that hang backtracking engines are matched at once", () => {
    const given = {
      type: "object",
      patternProperties: { "^(a+)+$": {} },
      properties: { [`${"a".repeat(60)}!`]: { type: "null" } },
    };
    expect(takes(schema(given), `{"${"a".repeat(60)}!":null}`)).toBe(true);
  });
});

test("several schemas share one grammar", () => {
  const rules = ["one", "two"].map((name, i) =>
    finish(schemaToGrammar({ type: "object", properties: { a: { const: i } }, required: ["a"] }, name)),
  );
  const format = { type: "grammar", grammar: `root ::= one | "x" two\n${rules.join("")}` } as const;
  expect(takes(format, '{"a":0}')).toBe(true);
  expect(takes(format, 'x{"a":1}')).toBe(true);
  expect(takes(format, '{"a":1}')).toBe(false);
});

test("what dice write for random schemas is valid", async () => {
  let refused = 0;
  const runs = 300;
  await fc.assert(
    fc
      .asyncProperty(randomSchema, fc.nat(), async (given, seed) => {
        let written: ReturnType<typeof throwDice>;
        try {
          written = throwDice(schema(given), 5 + (seed % 60), seed);
        } catch (error) {
          if ((error as { code?: string }).code !== "BAD_SCHEMA") throw error;
          refused++;
          return;
        }
        expect(written.complete, written.text).toBe(true);
        expect(mistake(given, written.text), written.text).toBeUndefined();
      })
      .afterEach(turn),
    { numRuns: runs, seed: 7 },
  );
  expect(refused).toBeLessThan(runs / 4);
});
