// datetime.strftime() in the C locale, as glibc has it.

import { TemplateError, unsupported } from "./runtime.js";

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  ...["January", "February", "March", "April", "May", "June"],
  ...["July", "August", "September", "October", "November", "December"],
];
const DAY_MS = 86_400_000;

/** A number padded to that width: with zeros, or with spaces. */
type Padded = [value: number, width: number, fill?: " "];
type Directive = (date: Date) => string | Padded;

const hour12 = (date: Date) => date.getHours() % 12 || 12;
/** Days since the first of January. */
const dayOfYear = (date: Date) =>
  Math.round(
    (Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - Date.UTC(date.getFullYear(), 0, 1)) / DAY_MS,
  );
const week = (date: Date, firstDay: number) =>
  Math.floor((dayOfYear(date) + 7 - ((date.getDay() - firstDay + 7) % 7)) / 7);

/** Year and week of ISO 8601: those of the Thursday. */
function isoWeek(date: Date): [year: number, week: number] {
  const thursday = new Date(date.getFullYear(), date.getMonth(), date.getDate() + 3 - ((date.getDay() + 6) % 7));
  return [thursday.getFullYear(), Math.floor(dayOfYear(thursday) / 7) + 1];
}

const DIRECTIVES: Record<string, Directive> = {
  a: (date) => DAYS[date.getDay()]!.slice(0, 3),
  A: (date) => DAYS[date.getDay()]!,
  b: (date) => MONTHS[date.getMonth()]!.slice(0, 3),
  B: (date) => MONTHS[date.getMonth()]!,
  C: (date) => [Math.floor(date.getFullYear() / 100), 2],
  d: (date) => [date.getDate(), 2],
  e: (date) => [date.getDate(), 2, " "],
  f: (date) => [date.getMilliseconds() * 1000, 6],
  g: (date) => [isoWeek(date)[0] % 100, 2],
  G: (date) => [isoWeek(date)[0], 1],
  H: (date) => [date.getHours(), 2],
  I: (date) => [hour12(date), 2],
  j: (date) => [dayOfYear(date) + 1, 3],
  k: (date) => [date.getHours(), 2, " "],
  l: (date) => [hour12(date), 2, " "],
  m: (date) => [date.getMonth() + 1, 2],
  M: (date) => [date.getMinutes(), 2],
  n: () => "\n",
  p: (date) => (date.getHours() < 12 ? "AM" : "PM"),
  P: (date) => (date.getHours() < 12 ? "am" : "pm"),
  s: (date) => [Math.floor(date.getTime() / 1000), 1],
  S: (date) => [date.getSeconds(), 2],
  t: () => "\t",
  u: (date) => [date.getDay() || 7, 1],
  U: (date) => [week(date, 0), 2],
  V: (date) => [isoWeek(date)[1], 2],
  w: (date) => [date.getDay(), 1],
  W: (date) => [week(date, 1), 2],
  y: (date) => [date.getFullYear() % 100, 2],
  Y: (date) => [date.getFullYear(), 1],
  z: () => "",
  Z: () => "",
  "%": () => "%",
};

/** Directives that stand for several. */
const COMPOSED: Record<string, string> = {
  c: "%a %b %e %H:%M:%S %Y",
  D: "%m/%d/%y",
  F: "%Y-%m-%d",
  h: "%b",
  r: "%I:%M:%S %p",
  R: "%H:%M",
  T: "%H:%M:%S",
  x: "%m/%d/%y",
  X: "%H:%M:%S",
};

/**
 * The local time without a zone, in English. Flags: `-` no padding, `_` spaces, `0` zeros, `^` capitals.
 * @throws TemplateError for a directive that glibc does not have
 */
export function strftime(format: string, date: Date): string {
  return format.replace(/%([-_0^]?)([\s\S]|$)/gu, (whole, flag: string, letter: string) => {
    if (Object.hasOwn(COMPOSED, letter) && flag === "") return strftime(COMPOSED[letter]!, date);
    if (!Object.hasOwn(DIRECTIVES, letter)) throw unsupported(`the date directive ${JSON.stringify(whole)}`);
    const value = DIRECTIVES[letter]!(date);
    if (typeof value === "string") return flag === "^" ? value.toUpperCase() : value;
    if (letter === "f" && flag !== "") throw new TemplateError(`the date directive "${whole}" takes no flag`);
    const [number, width, fill = "0"] = value;
    return String(number).padStart(flag === "-" ? 0 : width, flag === "_" ? " " : flag === "0" ? "0" : fill);
  });
}
