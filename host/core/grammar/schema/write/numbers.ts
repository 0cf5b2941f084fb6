// Numbers of a range. They have at most 15 significant digits, or are safe integers, so that what they are read as is what they
// say; those without bounds have as many on either side of the point.

import type { Bound, Cell } from "../read/node.js";
import { INTEGER, NUMBER } from "../read/types.js";
import { digitsBetween } from "./digits.js";
import { choice, literal } from "./gbnf_text.js";

const MAX_DIGITS = 15;
const LARGEST = 10n ** BigInt(MAX_DIGITS) - 1n;
const LARGEST_INTEGER = BigInt(Number.MAX_SAFE_INTEGER);
/** Numbers that are listed one by one at most. */
const MAX_LISTED = 1000;

/** A number without bounds. */
export const ANY_NUMBER = '"-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,15})? ([eE] [+-]? [0-9]{1,2})?';
/** One that is no integer: so few digits that none is lost, and no exponent. */
const ANY_FRACTION = '"-"? ("0" | [1-9] [0-9]{0,5}) "." [0-9]{0,5} [1-9]';

type Bounds = Pick<Cell, "minimum" | "maximum">;

/** The numbers of a cell, some of them where there are many. Undefined when there is none. */
export function numberGrammar(cell: Cell): string | undefined {
  const { minimum, maximum, multipleOf = [], notMultipleOf = [] } = cell;
  const types = cell.types & NUMBER;
  if (types === INTEGER && multipleOf.every(dividesOne) && notMultipleOf.length === 0) {
    const bounds = scaled(cell, 0, LARGEST_INTEGER);
    return between(bounds, 0) ?? listOf(farNumbers(cell), cell);
  }
  if (multipleOf.length > 0) return listOf(multiples(cell, stepOf(multipleOf)), cell);
  if (notMultipleOf.length > 0)
    return listOf([...multiples(cell, 1), ...multiples(cell, 0.5), ...multiples(cell, 0.3)], cell);
  if (!minimum && !maximum) return types === NUMBER ? ANY_NUMBER : ANY_FRACTION;
  if (types !== NUMBER) return listOf(fractions(cell), cell);
  return decimals(cell) ?? listOf(farNumbers(cell), cell);
}

/** Whether all integers are sure to be multiples, also after rounding. */
const dividesOne = (step: number) => Number.isInteger(1 / step) && Number.isInteger(Math.log2(step));

/** Whether a number has what a cell asks of numbers. */
export function isNumberOf(
  { types, minimum, maximum, multipleOf = [], notMultipleOf = [] }: Cell,
  value: number,
): boolean {
  return (
    (types & (Number.isInteger(value) ? INTEGER : NUMBER & ~INTEGER)) !== 0 &&
    (!minimum || (minimum.exclusive ? value > minimum.value : value >= minimum.value)) &&
    (!maximum || (maximum.exclusive ? value < maximum.value : value <= maximum.value)) &&
    multipleOf.every((step) => Number.isInteger(value / step)) &&
    notMultipleOf.every((step) => !isNearMultiple(value, step))
  );
}

/** Also where rounding hides it. */
const isNearMultiple = (value: number, step: number) =>
  Math.abs(value / step - Math.round(value / step)) < 1e-6 || !Number.isFinite(value / step);

/** Numbers with as many decimals as the bounds have, two more, and fewer. */
function decimals({ minimum, maximum }: Bounds): string | undefined {
  const given = [minimum, maximum].flatMap((bound) => (bound ? [bound.value] : []));
  const wholeDigits = Math.max(...given.map((value) => BigInt(Math.trunc(value)).toString().replace("-", "").length));
  if (wholeDigits > MAX_DIGITS) return between(scaled({ minimum, maximum }, 0, LARGEST_INTEGER), 0);
  const most = Math.max(...given.map((value) => decimal(value).decimals)) + 2;
  const places = Math.min(most, MAX_DIGITS - wholeDigits);
  return choice(
    Array.from({ length: places + 1 }, (_, i) =>
      between(scaled({ minimum, maximum }, i, i === 0 ? LARGEST_INTEGER : LARGEST), i),
    ),
  );
}

/** The least and the most integer n so that n / 10^places is within the bounds. */
function scaled({ minimum, maximum }: Bounds, places: number, largest: bigint): readonly [bigint, bigint] {
  let low = -largest;
  let high = largest;
  if (minimum) {
    const { floor, exact } = floorAt(minimum.value, places);
    const first = exact && !minimum.exclusive ? floor : floor + 1n;
    if (first > low) low = first;
  }
  if (maximum) {
    const { floor, exact } = floorAt(maximum.value, places);
    const last = exact && maximum.exclusive ? floor - 1n : floor;
    if (last < high) high = last;
  }
  return [low, high];
}

/** floor(value x 10^places), and whether nothing was cut. */
function floorAt(value: number, places: number): { floor: bigint; exact: boolean } {
  const { digits, decimals } = decimal(value);
  if (decimals <= places) return { floor: digits * 10n ** BigInt(places - decimals), exact: true };
  const divisor = 10n ** BigInt(decimals - places);
  const exact = digits % divisor === 0n;
  return { floor: digits / divisor - (digits < 0n && !exact ? 1n : 0n), exact };
}

/** value = digits / 10^decimals, as it is written: 1.25 is 125 / 10^2. */
function decimal(value: number): { digits: bigint; decimals: number } {
  const [, sign, whole, fraction = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value))!;
  const digits = BigInt(`${sign}${whole}${fraction}`);
  const decimals = fraction.length - Number(exponent);
  return decimals >= 0 ? { digits, decimals } : { digits: digits * 10n ** BigInt(-decimals), decimals: 0 };
}

/** The numbers low..high of 10^-places each. */
function between([low, high]: readonly [bigint, bigint], places: number): string | undefined {
  if (low > high) return undefined;
  const negative = low < 0n ? digitsBetween(high < 0n ? -high : 1n, -low, places) : undefined;
  const zero = low <= 0n && high >= 0n ? literal(places ? `0.${"0".repeat(places)}` : "0") : undefined;
  const above = high > 0n ? digitsBetween(low > 0n ? low : 1n, high, places) : undefined;
  return choice([negative && `"-" ${negative}`, zero, above]);
}

/** The bounds, and numbers of their size, where all are beyond the safe integers. */
function farNumbers({ minimum, maximum }: Bounds): number[] {
  const given = [minimum, maximum].flatMap((bound) => (bound ? [bound.value] : []));
  return given.flatMap((value) => [value, value * 2, value * 10, value / 2, value / 10]);
}

/** Numbers between the bounds that are no integers: halves next to 0 or to a bound, and what divides the distance. */
function fractions(cell: Bounds): number[] {
  const [low, high] = [cell.minimum?.value, cell.maximum?.value];
  const divided = low === undefined || high === undefined ? [] : Array.from({ length: 9 }, (_, i) => low + ((high - low) * (i + 1)) / 10); // biome-ignore format: one line
  return [...multiples(cell, 0.5), ...divided];
}

/** One step whose multiples are those of all, or of which at least some are. */
function stepOf(steps: readonly number[]): number {
  if (!steps.every(Number.isInteger)) return Math.max(...steps);
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  return steps.reduce((all, step) => (all / divisor(all, step)) * step);
}

/** The multiples next to 0, or to the bound that is next to it. */
function multiples({ minimum, maximum }: Bounds, step: number): number[] {
  const first = nearest(minimum, maximum, step);
  return Array.from({ length: 2 * MAX_LISTED + 1 }, (_, i) => {
    const times = first + (i % 2 ? (i + 1) / 2 : -i / 2);
    // The shortest decimal next to the product, which rounding has moved.
    return Number((times * step).toPrecision(MAX_DIGITS));
  });
}

function nearest(minimum: Bound | undefined, maximum: Bound | undefined, step: number): number {
  if (minimum && minimum.value > 0) return Math.ceil(minimum.value / step);
  return maximum && maximum.value < 0 ? Math.floor(maximum.value / step) : 0;
}

/** Those of some numbers that the cell allows and that are written without loss. */
function listOf(numbers: readonly number[], cell: Cell): string | undefined {
  const fitting = [...new Set(numbers)].filter((value) => Number.isFinite(value) && isNumberOf(cell, value));
  return choice(fitting.slice(0, MAX_LISTED).map((value) => literal(String(Object.is(value, -0) ? 0 : value))));
}
