// Python's int and float: how they are written, read and rounded.

import { type Runtime, TemplateError } from "./runtime.js";

/** CPython refuses to write more (sys.set_int_max_str_digits). */
const MAX_DIGITS = 4300;
const MAX_INTEGER = 10n ** BigInt(MAX_DIGITS);

/** Units of work that an operation on an int of thousands of digits takes. */
const LONG_INTEGER = 2048;
const WORD = 2n ** 63n;

/** Counts what an int costs. @throws TemplateError for one of more digits than Python writes */
export function checkInteger(value: bigint, runtime: Runtime): bigint {
  if (value < WORD && value > -WORD) return value;
  runtime.spend(LONG_INTEGER);
  if (value < MAX_INTEGER && value > -MAX_INTEGER) return value;
  throw new TemplateError(`an integer of it has more than ${MAX_DIGITS} digits`);
}

/** repr() of a float: the shortest digits that give it back, with an exponent below 1e-4 and from 1e16 on. */
export function writeFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const [mantissa, power] = value.toExponential().split("e") as [string, string];
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) return mantissa + exponentText(exponent);
  const text = exponent < 0 ? fixedDigits(mantissa, exponent) : String(value);
  return text.includes(".") ? text : `${text}.0`;
}

function fixedDigits(mantissa: string, exponent: number): string {
  const digits = mantissa.replace(/[-.]/g, "");
  return `${mantissa.startsWith("-") ? "-" : ""}0.${"0".repeat(-exponent - 1)}${digits}`;
}

export function exponentText(exponent: number): string {
  return `e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** The digits of |value| without rounding, and how many of them stand before the point. */
function exactDigits(value: number): { digits: string; point: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & ((1n << 52n) - 1n);
  const mantissa = biased === 0 ? fraction : fraction | (1n << 52n);
  const shift = Math.max(biased, 1) - 1075;
  if (shift >= 0) {
    const digits = String(mantissa << BigInt(shift));
    return { digits, point: digits.length };
  }
  const digits = String(mantissa * 5n ** BigInt(-shift)).padStart(-shift + 1, "0");
  return { digits, point: digits.length + shift };
}

/** Rounds digits after the first `keep`, ties to even. The result has `keep` digits, or one more. */
function roundDigits(digits: string, keep: number): string {
  if (keep < 0) return "0";
  const padded = digits.padEnd(keep, "0");
  const kept = BigInt(padded.slice(0, keep) || "0");
  const rest = padded.slice(keep);
  const half = `5${"0".repeat(Math.max(0, rest.length - 1))}`;
  const up = rest !== "" && (rest > half || (rest === half && kept % 2n === 1n));
  return String(kept + (up ? 1n : 0n)).padStart(keep, "0");
}

/** "%.nf" without a sign. */
export function toFixed(value: number, decimals: number): string {
  const { digits, point } = exactDigits(value);
  const rounded = roundDigits(digits, point + decimals).padStart(decimals + 1, "0");
  const whole = rounded.slice(0, rounded.length - decimals);
  const trimmed = whole.replace(/^0+(?=\d)/, "");
  return decimals === 0 ? trimmed : `${trimmed}.${rounded.slice(-decimals)}`;
}

/** "%.ne" without a sign: the digits and the exponent apart. */
export function toScientific(value: number, decimals: number): { digits: string; exponent: number } {
  if (value === 0) return { digits: "0".repeat(decimals + 1), exponent: 0 };
  const { digits, point } = exactDigits(value);
  const zeros = /^0*/.exec(digits)![0].length;
  const rounded = roundDigits(digits.slice(zeros), decimals + 1);
  const carried = rounded.length > decimals + 1;
  return { digits: rounded.slice(0, decimals + 1), exponent: point - zeros - 1 + (carried ? 1 : 0) };
}

/** round(value, digits) of a float. */
export function roundFloat(value: number, digits: number): number {
  if (!Number.isFinite(value) || digits > 323) return value;
  const sign = value < 0 || Object.is(value, -0) ? -1 : 1;
  if (digits >= 0) return sign * Number(toFixed(value, digits));
  const exact = exactDigits(value);
  return sign * Number(`${roundDigits(exact.digits, exact.point + digits)}e${-digits}`);
}

const FLOAT = /^[+-]?(\d+(_\d+)*(\.(\d+(_\d+)*)?)?|\.\d+(_\d+)*)(e[+-]?\d+(_\d+)*)?$/i;
const NAMED = /^([+-]?)(inf|infinity|nan)$/i;

/** float(text); undefined where Python raises ValueError. */
export function readFloat(text: string, runtime: Runtime): number | undefined {
  runtime.text(text.length);
  const trimmed = text.trim();
  const named = NAMED.exec(trimmed);
  if (named) return named[2]!.toLowerCase() === "nan" ? Number.NaN : named[1] === "-" ? -1 / 0 : 1 / 0;
  return FLOAT.test(trimmed) ? Number(trimmed.replaceAll("_", "")) : undefined;
}

const PREFIXES: Record<string, number> = { "0b": 2, "0o": 8, "0x": 16 };

/** int(text, base); undefined where Python raises ValueError. @throws TemplateError for a text that is too long */
export function readInteger(text: string, base: number, runtime: Runtime): bigint | undefined {
  if (base !== 0 && (base < 2 || base > 36)) return undefined;
  runtime.text(text.length);
  const [, sign = "", prefix = "", digits = ""] = /^([+-]?)(0[box](?=_?\w))?(\w+)$/i.exec(text.trim()) ?? [];
  const named = PREFIXES[prefix.toLowerCase()];
  const hasPrefix = named !== undefined && (base === 0 || base === named);
  const radix = hasPrefix ? named : base || 10;
  const body = hasPrefix ? digits.replace(/^_/, "") : prefix + digits;
  if (!/^[\da-z]+(_[\da-z]+)*$/i.test(body)) return undefined;
  if (base === 0 && !hasPrefix && /^0[_\d]*[1-9]/.test(body)) return undefined;
  if (body.length > MAX_DIGITS) throw new TemplateError(`an integer of it has more than ${MAX_DIGITS} digits`);
  runtime.spend(body.length ** 2 / 256);
  let value = 0n;
  for (const character of body.replaceAll("_", "").toLowerCase()) {
    const digit = Number.parseInt(character, 36);
    if (digit >= radix) return undefined;
    value = value * BigInt(radix) + BigInt(digit);
  }
  return sign === "-" ? -value : value;
}
