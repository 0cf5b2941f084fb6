// What Python makes of text and JSON: compared with Python.

import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isTruthy, loads, plain, str, strip, words } from "../../../host/node/eval/python";

const PROGRAM = `
import json, sys
def one(text):
    seen = [text.strip(), text.split(), text.lower()]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return seen + [None]
    exact = json.dumps(value, sort_keys=True)
    return seen + [[exact, bool(value), None if isinstance(value, (list, dict)) else str(value).strip()]]
json.dump([one(text) for text in json.load(sys.stdin)], sys.stdout)
`;
const python = (texts: string[]) => {
  const { stdout, stderr } = spawnSync("python3", ["-c", PROGRAM], {
    input: JSON.stringify(texts),
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  expect(stderr).toBe("");
  return JSON.parse(stdout) as [string, string[], string, null | [string, boolean, string | null]][];
};

const throughJson = (value: unknown) => JSON.parse(JSON.stringify(value));

const isThere = spawnSync("python3", ["--version"]).status === 0;
if (!isThere) console.log("not run: there is no python3 to compare with");

const PIECES =
  '{|}|[|]|"|,|:| |\t|\n|\v|\f|\r|\x1c|\x1f|\x85|\xa0|\u1680|\u180e|\u2003|\u200b|\u2028|\u3000|\ufeff|\\|\\n|\\u0041|\\ud83d|\\ude00|\\x|\x01|null|true|false|NaN|-NaN|Infinity|-Infinity|0|-0|-|1|3.0|3.00|.5|5.|1e3|1E-2|1e999|01|9007199254740993|"a"|"__proto__"|"2"|"1"|\'|İ|Σ|ΑΣ|😀|[]|{}|""|" "'.split(
    "|",
  );

test.runIf(isThere)("texts and JSON, whole and broken, are read as Python reads them", () => {
  const piece = fc.constantFrom(...PIECES);
  const json = fc.json({ maxDepth: 3 });
  const broken = fc.tuple(json, fc.nat(), piece).map(([text, at, inserted]) => {
    const place = at % (text.length + 1);
    return text.slice(0, place) + inserted + text.slice(place);
  });
  const listed = fc.array(piece, { maxLength: 6 }).map((items) => `[${items.join(",")}]`);
  const text = fc.oneof(
    json,
    broken,
    listed,
    fc.array(piece, { maxLength: 9 }).map((items) => items.join("")),
  );
  const deep = ["[", '{"a":'].map((open) => `${open.repeat(2000)}1`);
  const long = ["1".repeat(4300), `-${"1".repeat(4300)}`, "1".repeat(4301), `${"1".repeat(5000)}.5`];
  const texts = [...fc.sample(text, 4000), ...deep, ...long].filter((sample) => !/[\ud800-\udfff]/u.test(sample));
  python(texts).forEach(([stripped, split, lower, read], i) => {
    const sample = texts[i]!;
    expect([strip(sample), words(sample), sample.toLowerCase()], JSON.stringify(sample)).toEqual([
      stripped,
      split,
      lower,
    ]);
    const value = loads(sample);
    if (read === null || value === undefined) {
      expect(value === undefined, JSON.stringify(sample)).toBe(read === null);
      return;
    }
    const [exact, truthy, written] = read;
    expect(isTruthy(value), sample).toBe(truthy);
    // What has no number in JSON is null here.
    if (!/NaN|Infinity/.test(exact)) expect(throughJson(plain(value)), sample).toEqual(throughJson(JSON.parse(exact)));
    if (written !== null && Math.abs(Number(written)) < 1e15 && !/e/.test(written)) {
      expect(strip(str(value)), sample).toBe(written);
    }
  });
});

test("numbers that JSON has no word for", () => {
  expect(loads("[NaN, -Infinity, 3, 3.0, -0.0]")).toEqual([Number.NaN, Number.NEGATIVE_INFINITY, 3n, 3, -0]);
  expect(loads("-NaN")).toBeUndefined();
  expect([3n, 3, -0, 0.5, true, null, [3n], Number.NaN, new Map([["a", "@"]])].map((value) => str(value))).toEqual([
    "3",
    "3.0",
    "-0.0",
    "0.5",
    "True",
    "None",
    "[3]",
    "nan",
    '{"a": "@"}',
  ]);
});
