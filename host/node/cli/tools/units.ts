// Units of measure: each is a number of its quantity's own unit, exactly as it is defined (BIPM's SI brochure, NIST SP 811, IEC 80000-13).

import type { Decimal } from "decimal.js";
import { Precise, shownNumber } from "./expression.js";

/** "names = factor", the first name is shown. */
const TABLE: Record<string, string> = {
  length: `m meter metre metro metri = 1; km kilometer kilometre = 1000; dm = 0.1; cm centimeter centimetre = 0.01; mm millimeter millimetre = 0.001;
    um µm micrometer micron = 1e-6; nm nanometer = 1e-9; in inch inches pollice pollici = 0.0254; ft foot feet piede piedi = 0.3048; yd yard = 0.9144;
    mi mile miglio miglia = 1609.344; nmi nauticalmile = 1852; au = 149597870700; ly lightyear = 9460730472580800`,
  mass: `kg kilogram = 1; g gram = 0.001; mg milligram = 1e-6; ug µg microgram = 1e-9; t tonne = 1000; q quintal = 100; hg etto etti = 0.1;
    lb lbs pound = 0.45359237; oz ounce = 0.028349523125; st stone = 6.35029318; ct carat = 0.0002`,
  time: `s sec second secondo secondi = 1; ms millisecond = 0.001; us µs microsecond = 1e-6; ns nanosecond = 1e-9; min minute minuto minuti = 60;
    h hr hour ora ore = 3600; d day giorno giorni = 86400; wk week settimana settimane = 604800; yr year anno anni = 31557600`,
  area: `m2 m² sqm squaremeter = 1; km2 km² = 1e6; cm2 cm² = 1e-4; mm2 mm² = 1e-6; ha hectare ettaro ettari = 10000; acre = 4046.8564224;
    ft2 ft² sqft = 0.09290304; in2 in² sqin = 0.00064516; yd2 yd² = 0.83612736; mi2 mi² sqmi = 2589988.110336`,
  volume: `l L liter litre litro litri = 1; ml mL milliliter millilitre = 0.001; cl centiliter = 0.01; dl deciliter = 0.1; hl hectoliter = 100;
    m3 m³ = 1000; cm3 cm³ cc = 0.001; gal gallon = 3.785411784; qt quart = 0.946352946; pt pint = 0.473176473; cup = 0.2365882365;
    floz fluidounce = 0.0295735295625; tbsp tablespoon = 0.01478676478125; tsp teaspoon = 0.00492892159375; bbl barrel = 158.987294928;
    ukgal imperialgallon = 4.54609; ukpt imperialpint = 0.56826125`,
  speed: `mps = 1; kph kmh = 1/3.6; mph = 0.44704; kn kt knot nodo nodi = 1852/3600; c = 299792458`,
  energy: `J joule = 1; kJ kilojoule = 1000; MJ = 1e6; cal calorie caloria calorie = 4.184; kcal kilocalorie = 4184; Wh = 3600; kWh = 3.6e6; MWh = 3.6e9;
    eV = 1.602176634e-19; BTU btu = 1055.05585262`,
  power: `W watt = 1; mW = 0.001; kW kilowatt = 1000; MW megawatt = 1e6; GW = 1e9; hp horsepower = 745.69987158227022; CV cavallo cavalli = 735.49875`,
  pressure: `Pa pascal = 1; hPa = 100; kPa = 1000; MPa = 1e6; bar = 1e5; mbar = 100; atm = 101325; psi = 6894.757293168; mmHg torr = 101325/760`,
  force: `N newton = 1; kN = 1000; kgf = 9.80665; lbf = 4.4482216152605`,
  angle: `rad radian = 1; deg degree ° grado gradi = pi/180; turn = 2*pi; gon = pi/200; arcmin = pi/10800; arcsec = pi/648000`,
  frequency: `Hz hertz = 1; kHz = 1000; MHz = 1e6; GHz = 1e9; rpm = 1/60`,
  data: `bit bits = 1; B byte bytes = 8; kbit = 1e3; Mbit = 1e6; Gbit = 1e9; kB KB kilobyte = 8e3; MB megabyte = 8e6; GB gigabyte = 8e9; TB terabyte = 8e12;
    PB = 8e15; KiB = 8192; MiB = 8388608; GiB = 8589934592; TiB = 8796093022208`,
};

interface Unit {
  name: string;
  /** Such as "length", or "length/time". */
  quantity: string;
  factor: Decimal;
}

/** value in kelvin = (value + offset) * factor */
const TEMPERATURES: Record<string, [factor: string, offset: string]> = {
  K: ["1", "0"],
  "°C": ["1", "273.15"],
  "°F": ["5/9", "459.67"],
};
const TEMPERATURE_NAMES: [name: RegExp, unit: string][] = [
  [/^(k|kelvin)$/i, "K"],
  [/^(°? ?c|degc|(degrees? |gradi |grado )?(celsius|centigrad[eoi]))$/i, "°C"],
  [/^(°? ?f|degf|(degrees? |gradi |grado )?fahrenheit)$/i, "°F"],
];

const UNITS = new Map<string, Unit>();
for (const [quantity, table] of Object.entries(TABLE)) {
  for (const entry of table.split(";")) {
    const [names = "", size = ""] = entry.split("=");
    const [name = "", ...others] = names.trim().split(/\s+/);
    for (const each of [name, ...others]) UNITS.set(each, { name, quantity, factor: fraction(size.trim()) });
  }
}
/** Where capitals do not tell two units apart: "KM", but not "mw". */
const ANY_CASE = new Map<string, Unit | undefined>();
for (const [name, unit] of UNITS) {
  const key = name.toLowerCase();
  ANY_CASE.set(key, ANY_CASE.has(key) && ANY_CASE.get(key)?.name !== unit.name ? undefined : unit);
}

/** Names of all units, by what they measure. */
export const QUANTITIES = [...Object.keys(TABLE), "temperature"];

/**
 * `value` in another unit. Quotients are understood: "km/h", "MB per second".
 * @throws Error for units that are unknown, or measure something else
 */
export function convert(value: number, from: string, to: string): string {
  if (!Number.isFinite(value)) throw new Error(`${value} is no finite number`);
  const start = temperature(from);
  const end = temperature(to);
  if (start && end) {
    const [factor, offset] = TEMPERATURES[start]!;
    const [endFactor, endOffset] = TEMPERATURES[end]!;
    const kelvin = new Precise(value).plus(offset).times(fraction(factor));
    if (kelvin.lt(0)) throw new Error(`${value} ${start} is below absolute zero`);
    return written(kelvin.div(fraction(endFactor)).minus(endOffset), end);
  }
  const source = unit(from, start);
  const target = unit(to, end);
  if (source.quantity !== target.quantity) {
    throw new Error(`${source.name} measures ${source.quantity}, ${target.name} measures ${target.quantity}`);
  }
  return written(new Precise(value).times(source.factor).div(target.factor), target.name);
}

const written = (value: Decimal, name: string) => `${shownNumber(value.toSignificantDigits(15))} ${name}`;

function temperature(name: string): string | undefined {
  return TEMPERATURE_NAMES.find(([pattern]) => pattern.test(name.trim()))?.[1];
}

function unit(text: string, asTemperature: string | undefined): Unit {
  const [above = "", below, ...more] = text.split(/\s*\/\s*|\s+(?:per|al|all'|a)\s+/);
  if (more.length > 0) throw new Error(`"${text}" has more than one quotient`);
  const whole = named(text) ?? (below === undefined ? undefined : quotient(named(above), named(below)));
  if (whole) return whole;
  if (asTemperature) return { name: asTemperature, quantity: "temperature", factor: new Precise(1) };
  throw new Error(
    `the unit "${text}" is unknown; known are units of ${QUANTITIES.join(", ")}, such as km, kg, km/h, °C`,
  );
}

function quotient(above: Unit | undefined, below: Unit | undefined): Unit | undefined {
  if (!above || !below) return undefined;
  const quantity = `${above.quantity}/${below.quantity}`;
  return {
    name: `${above.name}/${below.name}`,
    quantity: quantity === "length/time" ? "speed" : quantity,
    factor: above.factor.div(below.factor),
  };
}

/** "Kilometers", "square meter", "fl oz" */
function named(text: string): Unit | undefined {
  const name = text.trim().replace(/[\s_.-]+/g, "");
  const find = (key: string) => UNITS.get(key) ?? ANY_CASE.get(key.toLowerCase());
  return find(name) ?? find(name.replace(/s$/, "")) ?? find(name.replace(/es$/, "")) ?? find(italian(name));
}

/** "chilometri" is kilometer, "grammi" is gram. */
function italian(name: string): string {
  return name
    .toLowerCase()
    .replace(/^chilo/, "kilo")
    .replace(/metr[oi]$/, "meter")
    .replace(/litr[oi]$/, "liter")
    .replace(/gramm[oi]$/, "gram")
    .replace(/tonnellat[ae]$/, "tonne");
}

/** "1852/3600", "2*pi" */
function fraction(text: string): Decimal {
  const [, first = "", operator, second = ""] = /^([^*/]+)(?:([*/])(.+))?$/.exec(text) ?? [];
  const number = (word: string) => (word === "pi" ? Precise.acos(-1) : new Precise(word));
  if (operator === undefined) return number(first);
  return operator === "*" ? number(first).times(number(second)) : number(first).div(number(second));
}
