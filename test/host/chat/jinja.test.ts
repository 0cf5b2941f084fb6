import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  fromJson,
  MAX_SOURCE,
  Refusal,
  Runtime,
  render,
  TemplateError,
  type Value,
} from "../../../host/core/chat/jinja";
import { type Guards, MAX_TEXT } from "../../../host/core/chat/jinja/python/runtime";

interface Run {
  text: string | undefined;
  /** Why there is no text. */
  reason: string;
  /** Of the longest slice, in milliseconds of processor time. */
  slice: number;
}

function run(source: string, variables: Record<string, unknown> = {}, guards?: Guards, now?: Date): Run {
  const runtime = new Runtime(guards, now);
  const values = new Map(
    Object.entries(variables).map(([name, value]): [string, Value] => [name, fromJson(value, runtime)]),
  );
  const steps = render(source, values, runtime);
  const result: Run = { text: undefined, reason: "", slice: 0 };
  for (let done = false; !done; ) {
    const begun = process.cpuUsage().user;
    try {
      const step = steps.next();
      done = step.done ?? false;
      if (step.done) result.text = step.value;
    } catch (error) {
      if (!(error instanceof TemplateError || error instanceof Refusal)) throw error;
      result.reason = error.message;
      done = true;
    }
    result.slice = Math.max(result.slice, (process.cpuUsage().user - begun) / 1000);
  }
  return result;
}

interface Fixture {
  now: [number, number, number, number, number, number];
  variables: Record<string, unknown>;
  cases: [source: string, text: string | null][];
}

describe("what jinja2 makes of fragments", () => {
  const path = new URL("../../fixtures/chat/fragments.json", import.meta.url);
  const { now, variables, cases }: Fixture = JSON.parse(readFileSync(path, "utf8"));
  const [year, month, ...rest] = now;
  const date = new Date(year, month - 1, ...rest);
  // JSON.parse() would round it.
  const given = {
    ...{ tools: null, documents: null, add_generation_prompt: true, bos_token: "<s>", eos_token: "</s>" },
    ...variables,
    big: 123456789012345678901234567890n,
  };

  test(`${cases.length} of them are equal, or refused by name`, () => {
    const wrong: object[] = [];
    const refused: string[] = [];
    for (const [source, wanted] of cases) {
      const { text, reason } = run(source, given, undefined, date);
      if ((text ?? null) === wanted) continue;
      if (text === undefined && / is not supported$/.test(reason)) refused.push(source);
      else wrong.push({ source, text, reason, wanted });
    }
    expect(wrong).toEqual([]);
    expect(refused.length).toBeLessThanOrEqual(4);
  });
});

describe("Python's form of values", () => {
  /** repr() of a string without anything to escape, a list, a mapping. */
  const python = (value: unknown): string => {
    if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
    if (value === null) return "None";
    if (typeof value === "object") {
      return `{${Object.entries(value)
        .map(([key, item]) => `'${key}': ${python(item)}`)
        .join(", ")}}`;
    }
    if (typeof value === "boolean") return value ? "True" : "False";
    return typeof value === "string" ? `'${value}'` : String(value);
  };
  const word = fc.stringMatching(/^[ -&(-[\]-~è☕]*$/);
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      word,
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(
        word.filter((key) => !/^\d/.test(key) && key !== "__proto__"),
        tie("value"),
        { maxKeys: 4 },
      ),
    ),
  }));

  test("of any plain value", () => {
    fc.assert(
      fc.property(value, (x) => {
        expect(run("{{ [x] }}", { x }).text).toBe(python([x]));
      }),
    );
  });

  test("tojson is JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), fc.boolean(), (x, ascii) => {
        const { text } = run("{{ x | tojson(ascii) }}", { x, ascii });
        expect(JSON.parse(text!)).toEqual(JSON.parse(JSON.stringify(x)));
      }),
    );
  });

  test("of floats", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        const x = number + 0; // JSON's -0 is Python's integer 0
        const written = run("{{ x * 1.0 }}", { x }).text!;
        expect(Number(written)).toBe(x);
        expect(written).toMatch(/[.e]/);
      }),
    );
  });
});

test("guards are seen as what they stand for, and stay", () => {
  const guards = new Map([["\ue000", "<"]]);
  const text = "\ue000think>a\ue000/think>\n b\ue000 ";
  const seen = run(
    "{{ '</think>' in x }}{{ x | length }}{{ x.split('</think>')[-1].lstrip('\\n') }}{{ x == y }}{{ x.startswith('<') }}" +
      "{{ x.replace('</think>', '|') }}{{ [x] }}{{ x | tojson(true) }}{{ x | e }}{{ {x: 1}[y] }}{{ x.strip('< ') }}",
    { x: text, y: text.replaceAll("\ue000", "<") },
    guards,
  );
  expect(seen.text?.replaceAll("\ue000", "<")).toBe(
    "True21 b< TrueTrue<think>a|\n b< ['<think>a</think>\\n b< ']\"<think>a</think>\\n b< \"" +
      "&lt;think&gt;a&lt;/think&gt;\n b&lt; 1think>a</think>\n b",
  );
  expect(seen.text).not.toContain("<");
});

describe("what a template costs is limited", () => {
  const doubled = (start: string, step: string) => `{% set x = ${start} %}${`{% set x = ${step} %}`.repeat(40)}`;
  const often = (body: string) => `{% for i in range(99999) %}{% set y = ${body} %}{% endfor %}`;
  const HOSTILE: [string, string][] = [
    ["a shared list as JSON", `${doubled("[1]", "[x, x]")}{{ x | tojson }}`],
    ["a shared list written", `${doubled("[1]", "[x, x]")}{{ x }}`],
    [
      "a shared list compared",
      `${doubled("[1]", "[x, x]").replaceAll("%}", "%}{% set y = [x, [1]] %}")}{{ [x] == [y] }}`,
    ],
    ["a shared list sorted", `${doubled("[1]", "[x, x]")}{{ [x, [x], x] | sort }}`],
    ["a text that doubles", `${doubled("'a'", "x ~ x")}{{ x }}`],
    ["a list that doubles", doubled("[1]", "x + x")],
    [
      "lists within lists",
      "{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}",
    ],
    ["loops in loops", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"],
    ["a macro that calls itself", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"],
    ["a macro that calls itself twice", "{% macro m(n) %}{{ m(n - 1) }}{{ m(n - 1) }}{% endmacro %}{{ m(1) }}"],
    ["JSON over and over", often("s | tojson")],
    ["splits over and over", often("s.split('x')")],
    ["white space over and over", often("(' ' * 400000).strip()")],
    ["a long search", often("('x' * 400000 ~ 'y') in s")],
    ["a search that fails late", often("s.rfind('x' * 15 ~ 'y')")],
    ["long integers", `{% set x = 7 ** 4000 %}${often("x * 3 ~ ''")}`],
    ["a power", "{{ 9 ** 9 ** 9 }}"],
    ["a wide number", "{{ '%9999999999d' % 1 }}"],
    ["a precise number", often("'%.400e' % 5e-324")],
    ["characters as escapes", often("['\\x00' * 50000] ~ ''")],
    ["distinct values", often("range(90000) | unique | list")],
    ["a sort", often("range(90000) | sort(reverse=true)")],
    ["groups", often("s | list | groupby(0)")],
    ["columns", often("range(9) | slice(99999999) | list")],
    ["rows", often("range(9) | batch(99999999, 0) | list")],
    ["a long way to a mistake", `{{ ${"a+".repeat(MAX_SOURCE / 2 - 20)} }}`],
    ["many outputs", "{{ 1 }}".repeat(9000)],
    ["conditions in a row", "{% if a %}{% set b = 1 %}{% endif %}".repeat(1800)],
    ["loops with much in them", `${"{% for a in b %}".repeat(19)}${"{{ loop.x }}".repeat(4500)}`],
    ["a long list", `{{ [${"1,".repeat(32000)}] }}`],
    ["quotes", `{{ '${"\\".repeat(60000)} }}`],
    ["nested brackets", `{{ ${"(".repeat(60000)} }}`],
    ["nots", `{{ ${"not ".repeat(15000)} 1 }}`],
    ["white space", `{%${" ".repeat(60000)}`],
    ["starts of comments", "{#".repeat(30000)],
    ["starts of raw blocks", "{% raw %}".repeat(7000)],
  ];

  test.each(HOSTILE)("%s", (_, source) => {
    const { slice, text } = run(source, { s: "x".repeat(300_000) });
    expect(text?.length ?? 0).toBeLessThanOrEqual(MAX_TEXT);
    // Measured: 10 to 25 ms on a quiet core; the machine that tests may be busy.
    expect(slice).toBeLessThan(200);
  });

  test("whatever is put together, it is text or a reason within the limits", () => {
    const atom = fc.constantFrom("x", "s", "'a'", "1", "2.5", "[1]", "none", "y", "{'k': x}", "range(99)", "(x, s)");
    const grown = fc.constantFrom(
      "[#, #]",
      "# ~ #",
      "# + #",
      "# * 99",
      "{'k': #, 'l': #}",
      "# | list",
      "# | tojson",
      "# | string",
      "[#] * 9",
    );
    const seen = fc.constantFrom(
      "# == y",
      "# | sort",
      "# | join('x')",
      "# | unique | list",
      "# in y",
      "# | length",
      "# | replace('a', #)",
      "# % #",
      "# | map('string') | list",
      "# | groupby(0)",
      "#.split('a')",
      "# | indent(#)",
      "# < y",
      "# | max",
      "#[::-1]",
      "# | escape",
    );
    const fill = (pattern: string, by: string) => pattern.replaceAll("#", by);
    const program = fc
      .tuple(
        atom,
        fc.array(grown, { minLength: 1, maxLength: 6 }),
        fc.array(seen, { minLength: 1, maxLength: 4 }),
        fc.nat(30),
      )
      .map(([start, growth, looks, times]) => {
        const grow = growth.map((pattern) => `{% set n.v = ${fill(pattern, "n.v")} %}`).join("");
        const look = looks.map((pattern) => `{{ ${fill(pattern, "n.v")} }}`).join("");
        return `{% set n = namespace(v=${start}) %}{% for i in range(${times}) %}${grow}{% endfor %}{% set y = n.v %}${look}`;
      });
    fc.assert(
      fc.property(program, (source) => {
        const { text, reason } = run(source, { x: [1, "a"], s: "abc" });
        expect(text === undefined ? reason : "").toBe(text === undefined ? reason || "a reason" : "");
      }),
      { numRuns: 300 },
    );
  });
});

test("mistakes name their line, and what is left out is named", () => {
  expect(run("a\n\n{{ x.y.z }}", { x: {} }).reason).toBe("line 3: 'dict object' has no attribute 'y'");
  expect(run("{% if %}").reason).toMatch(/^line 1: expected an expression/);
  expect(run("{% include 'x' %}").reason).toBe('line 1: the tag "include" is not supported');
  expect(run("{{ 'a' | urlize }}").reason).toBe('line 1: the filter "urlize" is not supported');
  expect(run("{{ strftime_now('%Q') }}").reason).toBe('line 1: the date directive "%Q" is not supported');
  expect(run("{{ 'a'.encode() }}").reason).toBe("line 1: str.encode is not supported");
  expect(run("{{ [].append(1) }}").reason).toMatch(/unsafe/);
  expect(run(" ".repeat(MAX_SOURCE + 1)).reason).toMatch(/at most 65536/);
});
