import fc from "fast-check";
import { expect, test } from "vitest";
import { calculate, runCall } from "../../../host/page/model/tools";

const call = (name: string, args: string) =>
  runCall({ id: "1", type: "function", function: { name, arguments: args } });

test("arithmetic, as mathematicians read it", () => {
  const cases: [string, number][] = [
    ["1 + 2 * 3", 7],
    ["(1 + 2) * 3", 9],
    ["2 ^ 3 ^ 2", 512],
    ["-2 ^ 2", -4],
    ["2 ^ -1", 0.5],
    ["8 / 4 / 2 - .5", 0.5],
    ["--1.25", 1.25],
  ];
  for (const [expression, value] of cases) expect(calculate(expression)).toBe(value);
  for (const wrong of ["", "1 +", "(1", "1)", "a", "1 2", "constructor", "1..2"])
    expect(() => calculate(wrong)).toThrow();
});

test("sums and products of random numbers are JavaScript's", () => {
  const number = fc.integer({ min: 0, max: 999 });
  fc.assert(
    fc.property(
      number,
      number,
      number,
      fc.constantFrom("+", "-", "*", "/"),
      fc.constantFrom("+", "-", "*", "/"),
      (...parts) => {
        const [a, b, c, first, second] = parts;
        const expression = `${a} ${first} ${b} ${second} ${c}`;
        expect(calculate(expression)).toBe(new Function(`return ${expression}`)());
      },
    ),
  );
});

test("the model is told what fails", async () => {
  expect(await call("calculate", '{"expression":"6*7"}')).toBe("42");
  expect(await call("calculate", '{"expression":"6*"}')).toBe(
    '{"error":"\\"the end\\" is where a number must be, in \\"6*\\""}',
  );
  expect(JSON.parse(await call("calculate", "{")).error).toContain("JSON");
  expect(JSON.parse(await call("nothing", "{}"))).toEqual({ error: "there is no such tool" });
  expect(await call("current_time", "")).toContain(String(new Date().getFullYear()));
});
