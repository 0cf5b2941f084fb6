// Formats of strings as patterns, anchored at both ends. Each is a part of what its standard allows, and of what validators take.

const YEAR = "\\d{4}";
/** February has its 29th in years that 4 divides and 100 does not. */
const LEAP_YEAR = "\\d\\d(?:0[48]|[2468][048]|[13579][26])";
const DAY = "(?:0[1-9]|1\\d|2[0-8])";
const DATE = `(?:${YEAR}-(?:(?:0[1-9]|1[0-2])-${DAY}|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)|${LEAP_YEAR}-02-29)`;
const CLOCK = "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,6})?";
const ZONE = "(?:Z|[+-](?:0\\d|1[0-4]):[0-5]\\d)";
const BYTE = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const LABEL = "[a-z](?:[a-z0-9-]{0,20}[a-z0-9])?";
const HOST = `${LABEL}(?:\\.${LABEL}){0,5}`;
const DOMAIN = `(?:${LABEL}\\.){1,5}[a-z]{2,12}`;
const SEGMENT = "[A-Za-z0-9._~-]";
const URI = `https?://${HOST}(?::[1-9]\\d{0,3})?(?:/${SEGMENT}{0,40}){0,8}(?:\\?${SEGMENT}{1,40}=${SEGMENT}{0,40})?(?:#${SEGMENT}{1,40})?`;
const HEX = "[0-9a-f]";

const EMAIL = `[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+){0,4}@${DOMAIN}`;
const PATH = `(?:/${SEGMENT}{0,40}){0,8}`;
const UUID = (version: string) => `${HEX}{8}-${HEX}{4}-${version}${HEX}{3}-[89ab]${HEX}{3}-${HEX}{12}`;
const POINTER = "(?:/[A-Za-z0-9_-]{0,40}){0,8}";
/** For schemas that also bound the length. */
const SHORT_URI = "https?://[a-z]{1,20}\\.[a-z]{2,6}(?:/[A-Za-z0-9_-]{0,20})?";
const BASE64 = "[A-Za-z0-9+/]";

/**
 * Patterns by name, without anchors, the widest first; narrower ones are for schemas that ask for more. These are the formats that
 * validators check; any other says nothing of what is valid (JSON Schema 2020-12, Validation, section 7).
 */
export const FORMATS: Readonly<Record<string, readonly string[]>> = Object.assign(Object.create(null), {
  date: [DATE],
  time: [`${CLOCK}${ZONE}`, `${CLOCK}Z`],
  "date-time": [`${DATE}T${CLOCK}${ZONE}`, `${DATE}T${CLOCK}Z`],
  duration: ["P(?:[1-9]\\d{0,3}W|[1-9]\\d{0,3}D(?:T[1-9]\\d{0,2}H(?:[1-9]\\d?M)?)?|T[1-9]\\d{0,3}[HMS])"],
  uuid: [UUID("[1-8]"), UUID("4")],
  uuid1: [UUID("1")],
  uuid3: [UUID("3")],
  uuid4: [UUID("4")],
  uuid5: [UUID("5")],
  email: [EMAIL, `[a-z0-9]+(?:[.][a-z0-9]+){0,4}@${DOMAIN}`, "[a-z0-9]{1,12}@[a-z]{1,12}\\.[a-z]{2,4}"],
  hostname: [HOST, "[a-z]{1,12}(?:\\.[a-z]{2,6})?"],
  ipv4: [`${BYTE}(?:\\.${BYTE}){3}`],
  ipv6: [`(?:(?:${HEX}{1,4}:){7}${HEX}{1,4}|::1|fe80::${HEX}{1,4})`, `(?:${HEX}{1,4}:){7}${HEX}{1,4}`],
  uri: [URI, SHORT_URI],
  "uri-reference": [`(?:${URI}|${PATH})`, SHORT_URI, PATH],
  "uri-template": [`${PATH}(?:/\\{[a-z]{1,20}\\})?`],
  "json-pointer": [POINTER],
  "json-pointer-uri-fragment": [`#${POINTER}`],
  "relative-json-pointer": [`(?:0|[1-9]\\d{0,3})(?:#|${POINTER})`],
  regex: ["\\^?[A-Za-z0-9]{0,40}(?:\\[a-z0-9\\][*+?]?|\\.[*+?]?|\\\\[dws][*+?]?|[A-Za-z0-9]{1,20}){0,8}\\$?"],
  byte: [`(?:${BASE64}{4})*(?:${BASE64}{2}==|${BASE64}{3}=)?`],
} satisfies Record<string, string[]>);

for (const [
  name,
  same,
] of [["idn-email", "email"], ["idn-hostname", "hostname"], ["iri", "uri"], ["url", "uri"], ["iri-reference", "uri-reference"], ["iso-time", "time"], ["iso-date-time", "date-time"]] as const) // biome-ignore format: pairs
  (FORMATS as Record<string, readonly string[]>)[name] = FORMATS[same]!;
