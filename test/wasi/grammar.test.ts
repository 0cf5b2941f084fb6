// Constrained texts of the reactor are those of the library, token by token; what is not a compiled grammar is refused.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundledModel, type JsonSchema, load, type Model, type ResponseFormat } from "zagreus-edge";
import { randomSchema } from "../support/random_schemas.mjs";
import { Embedded, FINISH, status } from "./embedded";
import { MODEL, MODELS, ROOT, ZAGREUS } from "./harness";

const module = new WebAssembly.Module(readFileSync(ZAGREUS));
const BAD_GRAMMAR = 87;
const [BAD_OPTION, CONTEXT_OVERFLOW] = [57, 59];
const [MAX_TOKENS, TEMPERATURE] = [1, 2];
const PROMPT = "La città: ";

const schema = (schema: JsonSchema): ResponseFormat => ({ type: "json_schema", schema });
const gbnf = (grammar: string): ResponseFormat => ({ type: "grammar", grammar });
const CITY = schema({
  type: "object",
  properties: {
    name: { type: "string", minLength: 3, maxLength: 40 },
    inhabitants: { type: "integer", minimum: 100 },
    sea: { enum: ["Adriatico", "Ionio", "Tirreno", null] },
    tags: { type: "array", items: { type: "string", pattern: "^[a-zà-ù]{2,9}$" }, maxItems: 4 },
  },
  required: ["name", "inhabitants", "sea", "tags"],
});
const FORMATS: [string, ResponseFormat][] = [
  ["an object", CITY],
  ["any JSON object", { type: "json_object" }],
  [
    "a recursive schema",
    schema({ type: "object", properties: { deeper: { $ref: "#" }, n: { type: "number" } }, required: ["n"] }),
  ],
  ["brackets", gbnf('root ::= ("(" root ")" | "[" root "]")* "."')],
  ["an ambiguous grammar", gbnf('root ::= (word | words)+ "!"\nword ::= [a-z]+ " "\nwords ::= word word?')],
  ["one text", gbnf('root ::= "C\'era una volta un re, perché 😀 sì."')],
  ["lines", gbnf('root ::= ("- " [^\\n]+ "\\n"){2,5}')],
];

let model: Model;
let embedded: Embedded;
beforeAll(async () => {
  model = await load(bundledModel, { build: "simd" });
  embedded = new Embedded(module);
  embedded.load(MODEL);
});
afterAll(() => model.close());

/** A session with a grammar. */
function open(grammar: Uint8Array, options: Record<number, number>, seed: bigint, on = embedded): number {
  const session = on.open(PROMPT, options, seed);
  on.call("session_grammar", session, on.write(grammar));
  return session;
}

async function expectEqual(format: ResponseFormat, maxTokens: number, temperature: number, seed: number) {
  const session = open(
    await model.compileGrammar(format),
    { [MAX_TOKENS]: maxTokens, [TEMPERATURE]: temperature },
    BigInt(seed),
  );
  const completion = model.complete(PROMPT, { maxTokens, temperature, seed, responseFormat: format });
  try {
    const text = await completion.text();
    const ours = embedded.complete(session);
    expect({ text: ours.text, finish: FINISH[ours.finish] }).toEqual({ text, finish: completion.finishReason });
    return text;
  } catch (error) {
    if (!String((error as { code?: string }).code).match("INVALID_OPTION")) throw error;
    expect(status(() => embedded.call("complete", session))).toBe(BAD_OPTION); // no room for the shortest text
    return undefined;
  } finally {
    embedded.call("session_close", session);
  }
}

test.each(FORMATS)("%s, greedy and sampled, with room and without", async (_, format) => {
  let said = 0;
  for (const maxTokens of [12, 40, 90, 200]) {
    for (const [temperature, seed] of [
      [0, 0],
      [1, 3],
      [1.8, 8],
    ] as const) {
      if ((await expectEqual(format, maxTokens, temperature, seed)) !== undefined) said++;
    }
  }
  expect(said).toBeGreaterThan(3);
});

test("random schemas, with little room and with more", async () => {
  let said = 0;
  for (const [seed, random] of fc.sample(randomSchema, { seed: 5, numRuns: 36 }).entries()) {
    const format = schema(random as JsonSchema);
    const compiled = await model.compileGrammar(format).catch((error) => String(error.code));
    if (typeof compiled === "string") expect(["BAD_SCHEMA", "BAD_GRAMMAR"]).toContain(compiled);
    else if ((await expectEqual(format, seed % 2 ? 25 : 90, 1.5, seed)) !== undefined) said++;
  }
  expect(said).toBeGreaterThan(15);
});

test("sessions with the same grammar, with others and without take turns", async () => {
  const [first, second] = await Promise.all([model.compileGrammar(CITY), model.compileGrammar(FORMATS[3]![1])]);
  const grammars = [first, second, first, new Uint8Array()];
  const formats = [CITY, FORMATS[3]![1], CITY, undefined];
  const sessions = grammars.map((grammar, i) => open(grammar, { [MAX_TOKENS]: 80 }, BigInt(i)));
  const texts = grammars.map(() => "");
  for (const session of sessions) embedded.call("complete", session);
  for (let left = new Set(sessions); left.size > 0; ) {
    for (const session of [...left]) {
      const { text, finish } = embedded.next(session);
      texts[sessions.indexOf(session)] += text;
      if (finish) left.delete(session);
    }
  }
  const alone = formats.map((responseFormat, seed) =>
    model.complete(PROMPT, { maxTokens: 80, seed, responseFormat }).text(),
  );
  expect(texts).toEqual(await Promise.all(alone));
  embedded.call("session_grammar", sessions[0]!, 0);
  embedded.call("complete", sessions[0]!); // any text again
  for (const session of sessions) embedded.call("session_close", session);
});

test("no room for the shortest text", async () => {
  const long = await model.compileGrammar(gbnf('root ::= "abc xyz "{40}'));
  const session = open(long, { [MAX_TOKENS]: 20 }, 1n);
  expect(status(() => embedded.call("complete", session))).toBe(BAD_OPTION);
  embedded.call("session_option", session, MAX_TOKENS!, 100_000);
  const many = new Uint32Array(model.info.contextLength - 50).fill(100);
  embedded.write(new Uint8Array(many.buffer));
  embedded.call("session_append_tokens", session, many.length - 20);
  expect(status(() => embedded.call("complete", session))).toBe(CONTEXT_OVERFLOW);
  embedded.call("session_close", session);
});

test("a grammar for other tokens is refused, and what cannot be compiled", async () => {
  const compiled = await model.compileGrammar(CITY);
  compiled[4 + 31]! ^= 128; // as if byte 255 had no token
  const session = embedded.open(PROMPT);
  expect(() => embedded.call("session_grammar", session, embedded.write(compiled))).toThrow("other tokens");
  embedded.call("session_close", session);
  for (const format of [
    { type: "text" },
    { type: "grammar", grammar: 'root ::= "a"', trigger: "a" },
  ] as ResponseFormat[]) {
    await expect(model.compileGrammar(format)).rejects.toMatchObject({ code: "INVALID_OPTION", field: "format" });
  }
  await expect(model.compileGrammar(gbnf("root ::= root"))).rejects.toMatchObject({ code: "BAD_GRAMMAR" });
});

test("damaged bytes are refused, or are a grammar: never a trap, and in bounded time", async () => {
  const compiled = await Promise.all(FORMATS.map(([, format]) => model.compileGrammar(format)));
  const session = embedded.open(PROMPT, { [MAX_TOKENS]: 30 }, 1n);
  const HEADER = 292;
  const byte = fc.integer({ min: 0, max: 255 });
  const changes = fc.array(fc.tuple(fc.nat(), byte), { minLength: 1, maxLength: 4 });
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.nat(compiled.length - 1), changes, fc.nat(9), (which, changes, cut) => {
      const bytes = compiled[which]!.slice(0, cut === 0 ? HEADER + (changes[0]![0] % 100) : undefined);
      for (const [at, value] of changes) bytes[HEADER + (at % Math.max(bytes.length - HEADER, 1))] = value;
      const set = status(() => embedded.call("session_grammar", session, embedded.write(bytes)));
      if (set) expect(set).toBe(BAD_GRAMMAR);
      else expect([0, BAD_GRAMMAR, BAD_OPTION, CONTEXT_OVERFLOW]).toContain(status(() => embedded.complete(session)));
      seen.add(set ? "refused" : "run");
    }),
    { numRuns: 400, seed: 1 },
  );
  expect(seen).toEqual(new Set(["refused", "run"]));
  embedded.call("session_close", session);
});

test("a model of another type", async () => {
  const other = new Embedded(module);
  other.load(MODELS.Q4_0);
  const theirs = await load(readFileSync(join(ROOT, MODELS.Q4_0)), { build: "simd" });
  const session = open(await theirs.compileGrammar(CITY), { [MAX_TOKENS]: 60 }, 4n, other);
  const text = await theirs.complete(PROMPT, { maxTokens: 60, seed: 4, responseFormat: CITY }).text();
  expect(other.complete(session).text).toBe(text);
  theirs.close();
});
