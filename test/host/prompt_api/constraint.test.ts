// responseConstraint: JSON schemas and regular expressions, also where the answer's beginning is given.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Model } from "zagreus-edge";
import { compact } from "../../../host/core/chat/begun";
import { type Asked, loadShort, nameOf, nanoClass, SENTENCE, scripted } from "./harness";

let model: Model;
let Nano: ReturnType<typeof nanoClass>;
beforeAll(async () => {
  model = await loadShort();
  Nano = nanoClass(model, { maxTokens: 30 });
});
afterAll(() => model.close());

const RATING = {
  type: "object",
  required: ["Rating"],
  additionalProperties: false,
  properties: { Rating: { type: "number", minimum: 0, maximum: 5 } },
};

async function ask(responseConstraint: object, prefix = "", options = {}): Promise<string> {
  const session = await Nano.create({ samplingMode: "most-creative" });
  const user = { role: "user", content: SENTENCE } as const;
  const assistant = { role: "assistant", content: prefix, prefix: true } as const;
  return session.prompt(prefix ? [user, assistant] : [user], { responseConstraint, ...options });
}

describe("a JSON schema", () => {
  test.each<[string, boolean]>([
    ["", false],
    ["", true],
    ['{ "Rating": ', false],
    ['{"Rating":', true],
  ])("behind %j the answer is what it must be", async (prefix, omitResponseConstraintInput) => {
    const { Rating } = JSON.parse(prefix + (await ask(RATING, prefix, { omitResponseConstraintInput })));
    expect(Rating).toBeTypeOf("number");
    expect(Rating >= 0 && Rating <= 5).toBe(true);
  });

  test.each<[object, (value: unknown) => boolean]>([
    [{ type: "boolean" }, (value) => typeof value === "boolean"],
    [{ type: "null" }, (value) => value === null],
    [{ type: "integer", minimum: 1, maximum: 9 }, (value) => Number.isInteger(value)],
    [{ type: "array", items: { enum: ["a", "b"] }, maxItems: 3 }, Array.isArray],
    [{ type: "string", maxLength: 9 }, (value) => typeof value === "string"],
  ])("%j", async (schema, holds) => {
    expect(holds(JSON.parse(await ask(schema)))).toBe(true);
  });

  test("stands in the prompt, unless it shall not, and counts there", async () => {
    const asked: Asked[] = [];
    const Scripted = nanoClass(scripted(model, () => '{"Rating":1}', asked));
    const session = await Scripted.create();
    const options = { responseConstraint: RATING };
    const omitted = { ...options, omitResponseConstraintInput: true };
    const [plain, more, without] = await Promise.all(
      [{}, options, omitted].map((given) => session.measureContextUsage("a", given)),
    );
    expect(more).toBeGreaterThan(plain!);
    expect(without).toBe(plain);
    await session.prompt("a", options);
    expect(asked[0]!.prompt).toContain(JSON.stringify(RATING));
    const answer = await session.measureContextUsage([{ role: "assistant", content: '{"Rating":1}' }]);
    expect(session.contextUsage).toBe(more! + answer);
    await (await Scripted.create()).prompt("a", omitted);
    expect(asked[1]!.prompt).not.toContain("Rating");
  });
});

describe("a regular expression", () => {
  test.each([
    [/hello/, ""],
    [/^Greetings and salutations.*/, "Greetings"],
    [/^(true|false)$/, ""],
    [/^(true|false)$/, "t"],
    [/^[A-Z][a-z]{2,8}$/, ""],
    [/^"[^"]*"$/, ""],
    [/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/, "2024-"],
    [/^https?:\/\/[^\s$.?#].[^\s]*$/, ""],
    [/^(- [^\n]+\n){2,3}$/, ""],
    [/^[a-z]+(, [a-z]+)*$/u, ""],
    [/^(?!yes)[a-z]{3}$/, ""],
    [/^[è🦊]{3}$/u, "🦊"],
  ])("%s behind %j", async (regexp, prefix) => {
    const text = prefix + (await ask(regexp, prefix));
    expect(text).toMatch(regexp);
  });

  /** Patterns made of what is common. */
  const pattern = fc.letrec<{ item: string; whole: string }>((tie) => ({
    item: fc.oneof(
      { maxDepth: 2 },
      fc.constantFrom("a", "[a-c]", "[^a-y]", "\\d", "\\w", "\\s", ".", "é", "\\."),
      fc
        .tuple(tie("whole"), fc.constantFrom("", "?", "*", "+", "{1,3}"))
        .map(([inner, often]) => `(?:${inner})${often}`),
    ),
    whole: fc
      .array(fc.array(tie("item"), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 })
      .map((options) => options.map((items) => items.join("")).join("|")),
  })).whole;

  const tooLarge = /needs more than|is too ambiguous/;
  test("of any make: the answer matches, or it is refused for what it costs", async () => {
    await fc.assert(
      fc.asyncProperty(pattern, async (source) => {
        const regexp = new RegExp(`^(?:${source})$`);
        const answer = await ask(regexp).catch((error) => error);
        if (typeof answer === "string") expect(answer).toMatch(regexp);
        else expect([answer.name, answer.message]).toEqual(["NotSupportedError", expect.stringMatching(tooLarge)]);
      }),
      { numRuns: 12 },
    );
  });
});

test.each<[unknown, string, string]>([
  [{ type: "soup" }, "", "NotSupportedError"],
  [{ type: "string", pattern: "(a)\\1" }, "", "NotSupportedError"],
  [RATING, "invalid", "NotSupportedError"],
  [/^Greetings.*/, "invalid", "NotSupportedError"],
  [/(a)\1/, "", "NotSupportedError"],
  [/a/i, "", "NotSupportedError"],
  [/a/m, "", "NotSupportedError"],
  [[], "", "TypeError"],
  ["a", "", "TypeError"],
  [null, "", "TypeError"],
  [{ const: "x".repeat(300) }, "", "SyntaxError"],
])("%j behind %j is refused: %s", async (constraint, prefix, name) => {
  expect(await nameOf(ask(constraint as object, prefix))).toBe(name);
});

test("a schema that contains itself, and options that say nothing together", async () => {
  const circular: Record<string, unknown> = { type: "object" };
  circular.properties = circular;
  expect(await nameOf(ask(circular))).toBe("NotSupportedError");
  const session = await Nano.create();
  expect(await nameOf(session.prompt("a", { omitResponseConstraintInput: true }))).toBe("TypeError");
  expect(() => session.promptStreaming("a", { responseConstraint: 1 } as object)).toThrow(TypeError);
});

test("white space between the parts of a JSON text goes, all else stays", () => {
  expect(compact('{ "a b": [1, 2 ], "c":\n ')).toBe('{"a b":[1,2],"c":');
  expect(compact('{"a": "b  c\\" d')).toBe('{"a":"b  c\\" d');
  expect(compact('{"a": 1 ')).toBe('{"a":1 ');
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(0, 1, "\t"), (value, space) => {
      const whole = JSON.stringify(value);
      expect(compact(JSON.stringify(value, null, space))).toBe(whole);
      expect(compact(whole)).toBe(whole);
    }),
  );
});
