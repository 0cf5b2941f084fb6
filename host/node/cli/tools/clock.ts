// Date and time, in any zone that Intl knows.

const DAY = 86_400_000;
const MAX_DAYS = 1_000_000;

export interface ClockQuestion {
  /** "Europe/Rome", "Rome", "+02:00", "UTC". Default: where the computer is. */
  zone?: string;
  /** YYYY-MM-DD. Default: now. */
  date?: string;
  /** Days to go on from there, or back. */
  days?: number;
}

/**
 * The time now, or a date: its weekday, and how far it is from today.
 * @throws Error for zones and dates that there are not
 */
export function tellTime({ zone, date, days = 0 }: ClockQuestion, now = new Date()): Record<string, string | number> {
  if (!Number.isInteger(days) || Math.abs(days) > MAX_DAYS) throw new Error(`${days} is no number of days to count`);
  const timeZone = zoneOf(zone);
  const today = localDate(now, timeZone);
  const start = date === undefined ? today : parsedDate(date);
  const day = start + days * DAY;
  const calendar = {
    date: new Date(day).toISOString().slice(0, 10),
    weekday: new Date(day).toLocaleDateString("en-GB", { weekday: "long", timeZone: "UTC" }),
    zone: timeZone,
  };
  if (day !== today) return { ...calendar, days_from_today: Math.round((day - today) / DAY) };
  const time = now.toLocaleTimeString("en-GB", { timeZone, hour12: false });
  return { ...calendar, time, utc_offset: offset(now, timeZone) };
}

/** Midnight, in UTC, of the day that `now` is in a zone. */
function localDate(now: Date, timeZone: string): number {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    calendar: "gregory",
    year: "numeric",
    month: "numeric",
    day: "numeric",
  });
  const part = Object.fromEntries(parts.formatToParts(now).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(part.year!, part.month! - 1, part.day!);
}

function parsedDate(text: string): number {
  const [whole, digits] = /^(\d{4}-\d{2}-\d{2})(?:T.*)?$/.exec(text.trim()) ?? [];
  const time = digits === undefined ? Number.NaN : Date.parse(`${digits}T00:00:00Z`);
  const exists = whole !== undefined && !Number.isNaN(time) && new Date(time).toISOString().startsWith(digits!);
  if (!exists) throw new Error(`"${text}" is no date; write YYYY-MM-DD`);
  return time;
}

function offset(now: Date, timeZone: string): string {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZone, timeZoneName: "longOffset" }).formatToParts(now);
  const name = parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
  return name === "GMT" ? "+00:00" : name.replace("GMT", "");
}

/** A zone by its name, or by the city in it. */
function zoneOf(name: string | undefined): string {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  const wanted = name?.trim() ?? "";
  if (wanted === "" || wanted.toLowerCase() === "local") return timeZone;
  try {
    return new Intl.DateTimeFormat("en-GB", { timeZone: wanted }).resolvedOptions().timeZone;
  } catch {
    const city = `/${wanted.split(",")[0]!.trim().replace(/\s+/g, "_").toLowerCase()}`;
    const found = Intl.supportedValuesOf("timeZone").find((zone) => zone.toLowerCase().endsWith(city));
    if (found) return found;
    throw new Error(`"${wanted}" is no time zone; zones are such as Europe/Rome, America/New_York, UTC`);
  }
}
