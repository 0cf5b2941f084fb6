// The command's built-in tools.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { builtInTools } from "../../../host/node/cli/tools/built_in";
import { tellTime } from "../../../host/node/cli/tools/clock";
import { evaluate, shownNumber } from "../../../host/node/cli/tools/expression";
import { convert } from "../../../host/node/cli/tools/units";
import { zagreus } from "../../support/command";

const result = (text: string) => shownNumber(evaluate(text));

describe("the calculator", () => {
  test.each([
    ["2 * (3 + 4)", "14"],
    ["0.1 + 0.2", "0.3"],
    ["1/3 * 3", "1"],
    ["123456789 * 987654321", "121932631112635269"],
    ["25!", "15511210043330985984000000"],
    ["-2^2", "-4"],
    ["2^-1", "0.5"],
    ["2^3^2", "512"],
    ["2 ** 10", "1024"],
    ["-7 % 3", "2"],
    ["15% of 80", "12"],
    ["15%", "0.15"],
    ["200 * 15% + 1", "31"],
    ["50% + 1", "1.5"],
    ["(10)%(4)", "2"],
    ["6 × 7 ÷ 2 − 1 =", "20"],
    ["sqrt(2) ^ 2", "2"],
    ["round(2.345, 2)", "2.35"],
    ["max(1, 2; 3) - mean(2, 4)", "0"],
    ["sin(pi / 2) + log(1000) + log(8, 2) + LN(e)", "8"],
    ["1.5e3", "1500"],
    [".5 + 2.", "2.5"],
    ["1/3", "0.333333333333333333333333333333"],
  ])("%s = %s", (text, expected) => {
    expect(result(text)).toBe(expected);
  });

  test.each([
    ["", /expected at character 1, not the end/],
    ["2 +", /expected at character 4, not the end/],
    ["2 3", /an operator is expected at character 3, not "3"/],
    ["(1", /"\)" is expected/],
    ["1 / 0", /division by zero/],
    ["1 % 0", /division by zero/],
    ["sqrt(-1)", /undefined/],
    ["10 ^ 9999", /infinite/],
    ["constructor", /"constructor" is no function/],
    ["process.exit()", /"process" is no function/],
    ["sin(1, 2)", /at most 1 value, not 2/],
    ["2.5!", /factorial/],
    ["9".repeat(1001), /1001 characters/],
    ["(".repeat(60), /parentheses/],
    ["2^".repeat(60), /powers/],
    ["1e999999", /is expected/],
  ])("%s is refused", (text, message) => {
    expect(() => evaluate(text)).toThrow(message);
  });

  test("sums and products of integers are BigInt's", () => {
    const integer = fc.integer({ min: -1_000_000, max: 1_000_000 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom("+", "-", "*"), integer), { maxLength: 6 }),
        integer,
        (rest, first) => {
          const text = rest.reduce((so, [operator, n]) => `${so} ${operator} ${n < 0 ? `(${n})` : n}`, `${first}`);
          const exact = text.replace(/\d+/g, "$&n");
          expect(result(text)).toBe(String(new Function(`return ${exact}`)()));
        },
      ),
    );
  });

  test("any text has a value or an error", () => {
    const characters = fc.constantFrom(..."0123456789.+-*/%^!() ,esqrtpif");
    fc.assert(
      fc.property(fc.array(characters, { maxLength: 40 }), (text) => {
        try {
          expect(evaluate(text.join("")).isFinite()).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          expect(error).not.toBeInstanceOf(TypeError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("units", () => {
  test.each([
    [1, "mi", "km", "1.609344 km"],
    [100, "km/h", "mph", "62.1371192237334 mph"],
    [10, "meters per second", "km/h", "36 km/h"],
    [100, "°C", "°F", "212 °F"],
    [-40, "fahrenheit", "gradi celsius", "-40 °C"],
    [5, "pounds", "kg", "2.26796185 kg"],
    [2, "chilometri", "metri", "2000 m"],
    [1, "GiB", "MB", "1073.741824 MB"],
    [8, "Mbit/s", "MB/s", "1 MB/s"],
    [180, "deg", "rad", "3.14159265358979 rad"],
    [3, "KM", "M", "3000 m"],
    [1, "fl oz", "ml", "29.5735295625 ml"],
  ])("%d %s in %s", (value, from, to, expected) => {
    expect(convert(value, from, to)).toBe(expected);
  });

  test.each([
    ["kg", "m", /kg measures mass, m measures length/],
    ["°C", "kg", /°C measures temperature/],
    ["parsnip", "m", /the unit "parsnip" is unknown/],
    ["m/s/s", "m", /more than one quotient/],
    ["__proto__", "m", /unknown/],
  ])("%s in %s is refused", (from, to, message) => {
    expect(() => convert(1, from, to)).toThrow(message);
  });
  test("nothing is colder than 0 K", () => expect(() => convert(-300, "°C", "K")).toThrow(/absolute zero/));
});

describe("time", () => {
  const now = new Date("2024-03-09T23:30:00Z");
  test("now, in a zone", () => {
    expect(tellTime({ zone: "Europe/Rome" }, now)).toEqual({
      date: "2024-03-10",
      weekday: "Sunday",
      zone: "Europe/Rome",
      time: "00:30:00",
      utc_offset: "+01:00",
    });
    expect(tellTime({ zone: "new york" }, now)).toMatchObject({ zone: "America/New_York", time: "18:30:00" });
    expect(tellTime({ zone: "UTC" }, now)).toMatchObject({ date: "2024-03-09", utc_offset: "+00:00" });
    expect(tellTime({}, now).zone).toBe(new Intl.DateTimeFormat().resolvedOptions().timeZone);
  });
  test("another day", () => {
    expect(tellTime({ zone: "UTC", date: "2024-12-25" }, now)).toEqual({
      date: "2024-12-25",
      weekday: "Wednesday",
      zone: "UTC",
      days_from_today: 291,
    });
    expect(tellTime({ zone: "UTC", date: "2024-02-28", days: 2 }, now)).toMatchObject({
      date: "2024-03-01",
      days_from_today: -8,
    });
  });
  test.each([
    [{ zone: "Atlantis" }, /"Atlantis" is no time zone/],
    [{ date: "2023-02-29" }, /is no date/],
    [{ date: "tomorrow" }, /is no date/],
    [{ days: 0.5 }, /0.5 is no number of days/],
  ])("%j is refused", (question, message) => {
    expect(() => tellTime(question, now)).toThrow(message);
  });
});

test("--tool takes names once, or all", async () => {
  const names = (text: string) => builtInTools(text).map(({ function: { name } }) => name);
  expect(names("all")).toEqual(["calculator", "time", "units"]);
  expect(names("units, time,units")).toEqual(["units", "time"]);
  expect(builtInTools("time", builtInTools("time,units"))).toHaveLength(2);
  const { code, stderr } = await zagreus(["chat", "--tool", "eval"]);
  expect(code).toBe(2);
  expect(stderr).toContain("Allowed choices are calculator, time, units, all.");
});

test("a model calls them in a conversation, and is told of mistakes", async () => {
  const flags =
    "chat -m zagreus-nano --template chatml --temp 0 -n 60 --max-steps 2 --json --tool calculator --tool-choice".split(
      " ",
    );
  const { code, stdout, stderr } = await zagreus([...flags, "calculator"], "Quanto fa 2 + 2?\n");
  expect(code, stderr).toBe(0);
  const { messages } = JSON.parse(stdout);
  expect(messages[1].tool_calls[0].function.name).toBe("calculator");
  const { expression } = JSON.parse(messages[1].tool_calls[0].function.arguments);
  const answer = JSON.parse(messages[2].content);
  try {
    expect(answer).toEqual({ result: result(expression) });
  } catch {
    expect(() => result(expression)).toThrow(answer.error);
  }
});
