// responseFormat on the bundled model: what is written is what it must be.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GenerateOptions, load, type Model, type ResponseFormat } from "zagreus-edge";
import { caught, loadNano, nanoBytes } from "../../support/nano.js";
import { mistake, randomSchema, writeFor } from "../../support/random_schemas.mjs";

const PERSON = {
  type: "object",
  properties: {
    name: { type: "string", maxLength: 12 },
    age: { type: "integer", minimum: 0, maximum: 120 },
    tags: { type: "array", items: { enum: ["a", "b"] } },
  },
  required: ["name", "age"],
};
const json: ResponseFormat = { type: "json_schema", schema: PERSON };

let model: Model;
beforeAll(async () => {
  model = await loadNano({ threads: 1 });
});
afterAll(() => model.close());

async function write(options: GenerateOptions, on: Pick<Model, "complete"> = model) {
  const completion = on.complete("C'era una volta un re.", { maxTokens: 60, seed: 1, temperature: 2, ...options });
  const text = await completion.text();
  return { text, finishReason: completion.finishReason, tokens: [...completion.tokens] };
}

test("JSON of a schema, and the end comes by itself", async () => {
  for (let seed = 0; seed < 20; seed++) {
    const { text, finishReason } = await write({ responseFormat: json, seed });
    expect(mistake(PERSON, text), text).toBeUndefined();
    expect(finishReason).toBe("stop");
  }
});

test("a text is led to its end before maxTokens and the context run out", async () => {
  const needed = Number(/at least (\d+)/.exec(String(await caught(write({ responseFormat: json, maxTokens: 1 }))))![1]);
  for (let seed = 0; seed < 20; seed++) {
    const { text, finishReason, tokens } = await write({ responseFormat: json, maxTokens: needed + (seed % 3), seed });
    expect(mistake(PERSON, text), text).toBeUndefined();
    expect(finishReason).toBe("stop");
    expect(tokens.length).toBeLessThanOrEqual(needed + (seed % 3));
  }
  const small = await loadNano({ threads: 1, contextLength: 48 });
  const { text, finishReason } = await write({ responseFormat: { type: "json_object" }, maxTokens: 4000 }, small);
  expect(JSON.parse(text)).toBeTypeOf("object");
  expect(finishReason).toBe("stop");
  const long = { type: "json_schema", schema: { const: "x".repeat(500) } } as const;
  expect(await caught(write({ responseFormat: long, maxTokens: 4000 }, small))).toMatchObject({
    code: "CONTEXT_OVERFLOW",
  });
  small.close();
});

test("a grammar, and one behind free text", async () => {
  const grammar = 'root ::= "<" [a-z]{2,9} ">"';
  expect((await write({ responseFormat: { type: "grammar", grammar } })).text).toMatch(/^<[a-z]{2,9}>$/);
  const free = await write({});
  const unbound = await write({
    responseFormat: { type: "grammar", grammar: 'root ::= "<<never>>"', trigger: "<<never>>" },
  });
  expect(unbound).toEqual(free);
  const trigger = free.text.slice(10, 14);
  const after = { type: "grammar", grammar: `root ::= ${JSON.stringify(trigger)} "!" [0-9]{3}`, trigger } as const;
  const { text, finishReason } = await write({ responseFormat: after, maxTokens: 200 });
  expect(text.slice(text.indexOf(trigger) + trigger.length)).toMatch(/^![0-9]{3}$/);
  expect(finishReason).toBe("stop");
});

test("what the prompt ends with counts as the text's beginning", async () => {
  const grammar = 'root ::= "perché " ("no" | "sì") "!"{300}';
  const whole = `perché no${"!".repeat(300)}`;
  for (const length of [0, 1, 6, 40, 309]) {
    const prefix = whole.slice(0, length);
    const { text, finishReason } = await write({
      responseFormat: { type: "grammar", grammar, prefix },
      maxTokens: 400,
    });
    expect(prefix + text).toMatch(/^perché (no|sì)!{300}$/);
    expect(finishReason).toBe("stop");
  }
  const wrong = { type: "grammar", grammar, prefix: "perché x" } as const;
  expect(await caught(write({ responseFormat: wrong }))).toMatchObject({ code: "BAD_GRAMMAR", value: "prefix" });
});

test("the best token that is allowed is taken at temperature 0, whatever is banned", async () => {
  const grammar = 'root ::= "a" | "b"';
  const { text } = await write({ responseFormat: { type: "grammar", grammar }, temperature: 0 });
  const [first] = model.tokenize(text, { bos: false });
  const banned = { temperature: 0, logitBias: { [first!]: Number.NEGATIVE_INFINITY } };
  expect((await write({ responseFormat: { type: "grammar", grammar }, ...banned })).text).not.toBe(text);
  const only = await write({ responseFormat: { type: "grammar", grammar: `root ::= "${text}"` }, ...banned });
  expect(only.text).toBe(text);
});

test("guessed tokens change nothing, and the next text is free again", async () => {
  const before = await write({});
  const options = { responseFormat: json, temperature: 0.7 };
  expect(await write({ ...options, promptLookup: true })).toEqual(await write(options));
  expect(await write({})).toEqual(before);
});

test("sessions go on after a structured text", async () => {
  const session = model.session();
  const first = await session.complete("Un re: ", { responseFormat: json, maxTokens: 60, seed: 3 }).text();
  expect(mistake(PERSON, first)).toBeUndefined();
  const second = await session.complete(" Una regina: ", { responseFormat: json, maxTokens: 60, seed: 3 }).text();
  expect(mistake(PERSON, second)).toBeUndefined();
  session.close();
});

test("in another thread it is the same", async () => {
  const remote = await load(nanoBytes(), { offload: true, threads: 1 });
  const options = { responseFormat: json, maxTokens: 60, seed: 5, temperature: 1 };
  expect(await remote.complete("Un re: ", options).text()).toBe(await model.complete("Un re: ", options).text());
  const bad = remote.complete("a", { responseFormat: { type: "json_schema", schema: { not: {} } } });
  expect(await caught(bad.text())).toMatchObject({ code: "BAD_SCHEMA", field: "#/not" });
  remote.close();
});

describe("wrong formats", () => {
  const WRONG: [format: unknown, field: string][] = [
    ["json", "responseFormat"],
    [null, "responseFormat"],
    [{}, "responseFormat.type"],
    [{ type: "xml" }, "responseFormat.type"],
    [{ type: "json_schema" }, "responseFormat.schema"],
    [{ type: "json_schema", schema: null }, "responseFormat.schema"],
    [{ type: "json_object", schema: {} }, "schema"],
    [{ type: "grammar" }, "responseFormat.grammar"],
    [{ type: "grammar", grammar: 'root ::= "a"', trigger: "" }, "responseFormat.trigger"],
    [{ type: "grammar", grammar: 'root ::= "a"', prefix: 1 }, "responseFormat.prefix"],
  ];
  test.each(WRONG)("%o", async (format, field) => {
    const error = await caught(() => model.complete("a", { responseFormat: format as ResponseFormat }));
    expect(error).toMatchObject({ code: "INVALID_OPTION", field });
  });

  test("what a schema or grammar says is checked when the generation starts; the model goes on", async () => {
    const options = { responseFormat: { type: "grammar", grammar: "root ::=" } as const };
    expect(await write(options)).toMatchObject({ text: "" });
    const left = { responseFormat: { type: "grammar", grammar: "root ::= root" } as const };
    expect(await caught(write(left))).toMatchObject({ code: "BAD_GRAMMAR" });
    expect((await write({})).tokens.length).toBeGreaterThan(0);
  });
});

test("random schemas: what the model writes at temperature 2 is valid (10,000 in test/checks/grammar.mjs)", async () => {
  let judged = 0;
  for (const [index, given] of fc.sample(randomSchema, { seed: 11, numRuns: 150 }).entries()) {
    const { text, finishReason, refused } = await writeFor(model, given, {
      temperature: 2,
      seed: index,
      maxTokens: 8 + (index % 40),
    });
    if (refused) continue;
    judged++;
    expect(finishReason).toBe("stop");
    expect(mistake(given, text), `${JSON.stringify(given)}\n${text}`).toBeUndefined();
  }
  expect(judged).toBeGreaterThan(100);
});
