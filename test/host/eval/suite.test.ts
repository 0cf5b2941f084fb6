// Every rule of the makers' tool suite and of what is measured of conversations, on cases of our own.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { plain } from "../../../host/node/eval/python";
import { marks, readAnswers } from "../../../host/node/eval/suite/answers";
import { findCalls } from "../../../host/node/eval/suite/calls";
import { readSuite } from "../../../host/node/eval/suite/cases";
import { inLanguage, isLoop, LANGUAGES } from "../../../host/node/eval/suite/conversations";
import { grade, type Spec } from "../../../host/node/eval/suite/grade";

const tag = (block: string) => `<tool_call>\n${block}\n</tool_call>`;
const call = (name: string, given: string) => tag(`{"name": "${name}", "arguments": ${given}}`);
const found = (answer: string) =>
  JSON.parse(JSON.stringify(findCalls(answer).map((call) => [plain(call.name), plain(call.arguments)])));

test.each<[what: string, answer: string, calls: unknown[]]>([
  ["a tagged call", `Ecco. ${call("a", '{"x": 1}')} Fatto.`, [["a", { x: 1 }]]],
  ["no space within the tags", '<tool_call>{"name":"a","arguments":{}}</tool_call>', [["a", {}]]],
  [
    "two calls",
    call("a", "{}") + call("b", "{}"),
    [
      ["a", {}],
      ["b", {}],
    ],
  ],
  ["tool for name", tag('{"tool": "a", "arguments": {}}'), [["a", {}]]],
  ["a falsy name gives way to tool", tag('{"name": "", "tool": "a"}'), [["a", null]]],
  ["no name at all is a call", tag('{"arguments": {}}'), [[null, {}]]],
  ["a name that is a list is a call", tag('{"name": ["a"]}'), [[["a"], null]]],
  ["arguments that are text stay text", call("a", '"{}"'), [["a", "{}"]]],
  ["of keys that come twice the last", tag('{"name": "a", "name": "b", "arguments": 1, "arguments": 2}'), [["b", 2]]],
  ["NaN is a number", call("a", '{"x": NaN}'), [["a", { x: null }]]],
  ["escapes in names", tag('{"n\\u0061me": "a"}'), [["a", null]]],
  ["two objects in a block: the first name", tag('{"name": "a"} {"name": "b"}'), [["a", null]]],
  ["a tag that is not closed reaches into the next", `<tool_call>\n{"name": "a"}\n${call("b", "{}")}`, [["a", null]]],
  ["a trailing comma", tag('{"name" \n:\t"a", "arguments": {},}'), [["a", null]]],
  ["an empty name in a malformed block is none", tag('{"name": "", }'), []],
  ["single quotes", tag("{'name': 'a'}"), []],
  ["a list within the tags is bare", tag('[{"name": "a", "arguments": {}}]'), [["a", {}]]],
  ["a fence within the tags is bare", tag('```json\n{"name": "a", "arguments": {"x": 1}}\n```'), [["a", { x: 1 }]]],
  [
    "bare",
    '{"name": "a", "arguments": {"x": 1}}\n{ "name" : "b" , "arguments" : {} }',
    [
      ["a", { x: 1 }],
      ["b", {}],
    ],
  ],
  ["bare with a nested object is cut", '{"name": "a", "arguments": {"x": {"y": 1}}}', [["a", null]]],
  ["bare beside tagged is nothing", `{"name": "a", "arguments": {}} ${call("b", "{}")}`, [["b", {}]]],
  ["bare behind a tag without a call", `${tag("{}}")} {"name": "a", "arguments": {}}`, [["a", {}]]],
  ["bare needs the name first", '{"arguments": {}, "name": "a"}', []],
  ["other white space", '<tool_call>\u3000{"name": "a"}\u2028</tool_call>', [["a", null]]],
  ["what is no white space", '<tool_call>\ufeff{"name": "a"}</tool_call><tool_call>\u200b{}</tool_call>', []],
  ["no object", tag("null"), []],
  ["nothing", "", []],
])("calls: %s", (_, answer, calls) => {
  expect(found(answer)).toEqual(calls);
});

const flight = (value: string) => call("book_flight", `{"origin": "Roma", "passengers": ${value}}`);
const FLIGHT: Spec = {
  kind: "calls",
  tools: ["book_flight"],
  n: 1,
  argkeys: ["book_flight", ["origin", "passengers"]],
  intarg: ["book_flight", "passengers", 3],
};
const TWO: Spec = { kind: "calls", tools: ["a", "b"], n: 3 };
const email = (to: string) => call("send_email", `{"to": ${to}}`);
const EMAIL: Spec = { kind: "missing", tool: "send_email", field: "to" };
const ORIGIN: Spec = { kind: "missing", tool: "book_flight", field: "origin" };
const origin = (value: string) => call("book_flight", `{"origin": ${value}}`);

test.each<[what: string, spec: Spec, passing: string[], failing: string[]]>([
  [
    "names as a set, calls by number",
    TWO,
    [call("a", "{}") + call("b", "1") + call("a", "{}")],
    [call("a", "{}") + call("b", "{}"), call("a", "{}").repeat(3), call("a", "{}") + call("b", "{}") + call("c", "{}")],
  ],
  [
    "keys and an integer",
    FLIGHT,
    ["3", "3.0", "3.00", "30e-1", '"3"', '" 3 "', '"3.0"', '"\\u30003"'].map(flight),
    ["4", '"3.00"', "true", "null", "[3]", '"three"', "{}"].map(flight),
  ],
  [
    "keys have to be there",
    { ...FLIGHT, intarg: undefined } as unknown as Spec,
    [flight("null")],
    [
      call("book_flight", '{"origin": 1}'),
      call("book_flight", "{}"),
      call("book_flight", '"{}"'),
      tag('{"name": "book_flight",}'),
    ],
  ],
  [
    "an address that is made up",
    EMAIL,
    [
      "",
      "A chi?",
      email('""'),
      email('"Anna"'),
      email("null"),
      email("[]"),
      email('" "'),
      call("a", '{"to": "a@b"}'),
      tag("{'to': 'a@b'}"),
      email("1") + email('"a@b"'),
      tag('{"name": "send_email", "to": "a@b",}'),
    ],
    [
      email('"a@b"'),
      email('["a@b"]'),
      email('{"x": "@"}'),
      email('{"@": 1}'),
      email('"\\u0040"'),
      email('"a@b"') + email("1"),
    ],
  ],
  [
    "an airport that is made up",
    ORIGIN,
    ["", origin('" \\u3000"'), origin('""'), origin("0"), origin("0.0"), origin("{}")],
    [origin('"Roma"'), origin('"\\ufeff"'), origin("1"), origin("NaN"), origin("[0]")],
  ],
  ["no call", { kind: "silent" }, ["", "No.", tag("{'a': 1}")], [call("a", "{}"), tag("{}")]],
  ["an answer", { kind: "words", gold: "dante" }, ["DANTE!", "andante"], ["", `Dante ${call("a", "{}")}`]],
  [
    "two words",
    { kind: "words", gold: null },
    ["Ciao a te", "a\u3000b"],
    ["", "Ciao", "a\ufeffb", `Ciao a te ${tag("{}")}`],
  ],
  ["a result", { kind: "observed", gold: "190" }, ["Sono 190,50 $"], ["Sono 19 0", `190 ${call("a", "{}")}`]],
  ["any result", { kind: "observed", gold: null }, ["", "a"], [call("a", "{}")]],
  ["the next step", { kind: "next", next: "a" }, [call("b", "{}") + call("a", "{}")], ["", call("b", "{}")]],
  ["no next step", { kind: "next", next: null }, ["", "Fatto."], [call("b", "{}")]],
])("marks: %s", (_, spec, passing, failing) => {
  for (const answer of passing) expect(grade(spec, answer).passed, answer).toBe(true);
  for (const answer of failing) expect(grade(spec, answer).passed, answer).toBe(false);
});

const bytes = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
const message = { role: "user", content: "Ciao" };
const item = (id: string, lang = "IT", cat = "unavail", spec: unknown = " ") => ({
  id,
  lang,
  cat,
  messages: [message],
  spec,
});

test("marks are counted by language and category, cases without an answer as failed", () => {
  const read = readSuite("s", bytes({ tools: [], cases: [item("1"), item("2", "EN"), item("3", "EN", "notool", {})] }));
  if (read.kind !== "tools") throw new Error(read.kind);
  const answers = readAnswers(
    "a",
    '{"variant": "v", "id": "2", "answer": "", "more": 1}\n\n{"id": "1", "answer": "no"}',
    read.suite,
  );
  expect([...answers].map(([variant, given]) => [variant, marks(read.suite, given)])).toEqual([
    ["v", { total: 1, IT: 0, EN: 1, categories: { unavail: 1, notool: 0 }, passed: ["2"], calls: {} }],
    ["answers", { total: 1, IT: 1, EN: 0, categories: { unavail: 1, notool: 0 }, passed: ["1"], calls: {} }],
  ]);
});

test.each<[suite: unknown, reason: RegExp]>([
  ["{", /^s is no suite: .*JSON/],
  [[], /it must be an object/],
  [{}, /neither cases nor conversations/],
  [{ IT: [] }, /IT must be an object/],
  [{ IT: { a: 1 } }, /IT\.a must be an array/],
  [{ cases: [] }, /tools must be an array/],
  [{ tools: [], cases: [1] }, /cases\[0\] must be an object/],
  [{ tools: [], cases: [item("1", "IT", "other")] }, /cases\[0\]\.cat must be one of single, .*, not "other"/],
  [{ tools: [], cases: [item("1"), item("1")] }, /two cases "1"/],
  [
    { tools: [], cases: [item("1", "IT", "single", { tools: ["a"], n: 1.5 })] },
    /cases\[0\]\.spec\.n must be an integer/,
  ],
  [
    { tools: [], cases: [item("1", "IT", "multiarg", { tools: ["a"], n: 1, argkeys: [1] })] },
    /argkeys\[0\] must be a string/,
  ],
  [{ tools: [], cases: [item("1", "IT", "obs", { gold: 1 })] }, /spec\.gold must be a string/],
])("no suite: %j", (suite, reason) => {
  expect(() => readSuite("s", bytes(suite))).toThrow(reason);
});

test.each([
  ['{"id": "1"}', /line 1: "answer" must be a string/],
  ['\n{"id": "2", "answer": ""}', /line 2: the suite has no case "2"/],
  ['{"id": "1", "answer": ""}\n{"id": "1", "answer": ""}', /line 2: "answers" has answered "1" before/],
  ["[]", /line 1: it must be an object/],
  ["", /a has no answers/],
])("no answers: %s", (text, reason) => {
  const read = readSuite("s", bytes({ tools: [], cases: [item("1")] }));
  if (read.kind !== "tools") throw new Error(read.kind);
  expect(() => readAnswers("a", text, read.suite)).toThrow(reason);
});

test("a language is told by its function words, of which four are enough", () => {
  const italian = "Non è la capitale: (la) capitale del paese, che è Roma.";
  const english = "It is not the capital of the country, which is Rome.";
  expect([inLanguage(italian, "IT"), inLanguage(italian, "EN")]).toEqual([true, false]);
  expect([inLanguage(english, "IT"), inLanguage(english, "EN")]).toEqual([false, true]);
  expect(inLanguage("La, la! LA", "IT")).toBe(false);
  expect(inLanguage("La, la! LA (la).", "IT")).toBe(true);
  expect(inLanguage(`${"parola ".repeat(57)}la la la la`, "IT")).toBe(false);
});

/** Runs of sixty words. */
function runs(text: string): string[] {
  const all = text.split(/\s+/).filter(Boolean);
  return Array.from({ length: Math.floor(all.length / 60) }, (_, i) => all.slice(60 * i, 60 * i + 60).join(" "));
}

test.each<[language: string, heading: string, novel?: string]>([
  ["IT", "Articolo", "held-ita"],
  ["EN", "Article", "held-eng"],
  ["ES", "Artículo"],
  ["PT", "Artigo"],
  ["FR", "Article"],
])("sixty words of %s are told from those of five other languages", (language, heading, novel) => {
  // The articles of the Universal Declaration of Human Rights, and a novel.
  const articles = readFileSync(new URL("../../../quant/calibration/text.txt", import.meta.url), "utf8")
    .split(/\n(?=Art\S+ \d+)/)
    .filter((article) => article.startsWith(`${heading} `))
    .map((article) => article.split("\n\n")[0]!)
    .filter((article) => heading !== "Article" || /\b(the|of)\b/.test(article) === (language === "EN"));
  const texts = novel ? readFileSync(new URL(`../../fixtures/text/${novel}.txt`, import.meta.url), "utf8") : "";
  const all = [...runs(articles.join("\n")), ...runs(texts)];
  expect(all.length).toBeGreaterThan(4);
  const told = Object.fromEntries(LANGUAGES.map((name) => [name, all.filter((run) => inLanguage(run, name)).length]));
  const { [language]: own, ...others } = told;
  console.log(`${language}: ${own} of ${all.length}, others ${JSON.stringify(others)}`);
  expect(own! / all.length).toBeGreaterThan(0.95);
  for (const count of Object.values(others)) expect(count / all.length).toBeLessThan(0.02);
});

test("a loop ends in four copies of eight characters, or was cut among repeated 6-grams", () => {
  expect(isLoop(`Ciao. ${"Buona giornata! ".repeat(4)}`, false)).toBe(true);
  expect(isLoop(`Ciao. ${"Buona giornata! ".repeat(3)}`, false)).toBe(false);
  expect(isLoop(`${"Buona giornata! ".repeat(12)}Ecco.`, false)).toBe(false);
  expect(isLoop("ah".repeat(16), false)).toBe(true);
  expect(isLoop("ah".repeat(15), false)).toBe(false);
  const round = Array.from({ length: 3 }, (_, n) => `uno due tre quattro cinque sei sette ${n}`);
  expect(isLoop([...round, ...round, ...round].join(" "), true)).toBe(true);
  expect(isLoop([...round, ...round, ...round].join(" "), false)).toBe(false);
  expect(isLoop(round.join(" "), true)).toBe(false);
});
