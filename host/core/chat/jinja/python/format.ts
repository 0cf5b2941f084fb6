// Python's two ways to format: "%5.2f" % x and "{:>5}".format(x).

import { checkInteger, exponentText, toFixed, toScientific, writeFloat } from "./numbers.js";
import { MAX_TEXT, type Runtime, TemplateError, unsupported } from "./runtime.js";
import {
  asText,
  characters,
  countCharacters,
  Dict,
  needInteger,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.js";
import { joined, repr, str } from "./write.js";

/** More decimals than a double has digits. */
const MAX_PRECISION = 400;

interface Spec {
  fill: string;
  /** "<", ">", "^", "=", or what the type has by default. */
  align: string | undefined;
  sign: string;
  alternate: boolean;
  width: number;
  grouping: string;
  precision: number | undefined;
  type: string;
}

const PERCENT = /%(?:\(([^()]*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d*))?[hlL]?([\s\S]|$)/g;

/** `format % values`. @throws TemplateError where Python raises */
export function percent(format: string, values: Value, runtime: Runtime): string {
  const given = values instanceof Tuple ? values.items : [values];
  const parts: string[] = [];
  let used = 0;
  let at = 0;
  let named = false;
  const next = () => {
    if (used >= given.length) throw new TemplateError("not enough arguments for format string");
    return given[used++]!;
  };
  runtime.text(format.length);
  for (const match of format.matchAll(PERCENT)) {
    const [whole, name, flags = "", width, precision, type = ""] = match;
    runtime.items(4);
    parts.push(format.slice(at, match.index));
    at = match.index + whole.length;
    if (type === "%") {
      parts.push("%");
      continue;
    }
    if (name !== undefined) {
      if (!(values instanceof Dict)) throw new TemplateError("format requires a mapping");
      named = true;
    }
    const size = (text: string | undefined) => (text === "*" ? needInteger(next(), "*") : Number(text));
    const wanted = width === undefined ? 0 : size(width);
    const digits = precision === undefined ? undefined : size(precision || "0");
    const value = name === undefined ? next() : (values as Dict).get(name);
    if (value === undefined) throw new TemplateError(`KeyError: '${name}'`);
    parts.push(conversion(type, value, { flags, width: wanted, precision: digits }, runtime));
  }
  const single = values instanceof Dict || Array.isArray(values);
  if (used < given.length && !named && !single) {
    throw new TemplateError("not all arguments converted during string formatting");
  }
  parts.push(format.slice(at));
  return joined(parts, runtime);
}

function conversion(
  type: string,
  value: Value,
  { flags, width, precision }: { flags: string; width: number; precision: number | undefined },
  runtime: Runtime,
): string {
  const left = flags.includes("-") || width < 0;
  const spec: Spec = {
    fill: " ",
    align: left ? "<" : ">",
    sign: flags.includes("+") ? "+" : flags.includes(" ") ? " " : "-",
    alternate: flags.includes("#"),
    width: Math.abs(width),
    grouping: "",
    precision,
    type,
  };
  if (type === "s" || type === "r") {
    const text = type === "s" ? str(value, runtime) : repr(value, runtime);
    return pad(cut(text, precision, runtime), spec, runtime);
  }
  if (type === "c") throw unsupported("%c");
  if (flags.includes("0") && !left) {
    spec.align = "=";
    spec.fill = "0";
  }
  if (value instanceof Undefined) throw value.fail();
  if (typeof value !== "bigint" && typeof value !== "number" && typeof value !== "boolean") {
    throw new TemplateError(`%${type} format: a number is required, not ${typeName(value)}`);
  }
  if ("diu".includes(type) && type !== "") {
    return pad(signed(integerDigits(truncated(value), precision, runtime), spec), spec, runtime);
  }
  if ("xXo".includes(type) && type !== "") {
    if (typeof value === "number") throw new TemplateError(`%${type} format: an integer is required, not float`);
    return pad(signed(radix(BigInt(value), spec, runtime), spec), spec, runtime);
  }
  if ("eEfFgG".includes(type) && type !== "") return formatFloat(Number(value), spec, runtime);
  throw new TemplateError(`unsupported format character '${type}'`);
}

function truncated(value: bigint | number | boolean): bigint {
  if (typeof value === "number" && !Number.isFinite(value)) throw new TemplateError("cannot convert float to integer");
  return typeof value === "number" ? BigInt(Math.trunc(value)) : BigInt(value);
}

function integerDigits(value: bigint, precision = 0, runtime: Runtime): string {
  const digits = String(checkInteger(value, runtime));
  if (precision > MAX_PRECISION) throw unsupported(`a precision above ${MAX_PRECISION}`);
  return digits.startsWith("-") ? `-${digits.slice(1).padStart(precision, "0")}` : digits.padStart(precision, "0");
}

function radix(value: bigint, { type, alternate }: Spec, runtime: Runtime): string {
  const base = { x: 16, X: 16, o: 8, b: 2 }[type as "x"];
  const digits = checkInteger(value < 0n ? -value : value, runtime).toString(base);
  const text = (alternate ? `0${type}` : "") + (type === "X" ? digits.toUpperCase() : digits);
  return value < 0n ? `-${text}` : text;
}

/** The sign as the specification wants it. */
function signed(digits: string, { sign }: Spec): string {
  return digits.startsWith("-") || sign === "-" || sign === "" ? digits : sign + digits;
}

function formatFloat(value: number, spec: Spec, runtime: Runtime): string {
  runtime.spend(1024);
  const negative = value < 0 || Object.is(value, -0);
  const body = Number.isFinite(value) ? floatDigits(Math.abs(value), spec) : Number.isNaN(value) ? "nan" : "inf";
  const upper = /[EFG]/.test(spec.type) ? body.toUpperCase() : body;
  const filled = Number.isFinite(value) || spec.fill !== "0" ? spec : { ...spec, fill: " ", align: ">" };
  return pad(signed((negative && !Number.isNaN(value) ? "-" : "") + upper, spec), filled, runtime);
}

function floatDigits(value: number, { type, precision = 6, alternate }: Spec): string {
  if (precision > MAX_PRECISION) throw unsupported(`a precision above ${MAX_PRECISION}`);
  if (alternate) throw unsupported("the flag # for floats");
  const kind = type.toLowerCase();
  if (kind === "f") return toFixed(value, precision);
  const wanted = kind === "g" ? Math.max(1, precision) - 1 : precision;
  const { digits, exponent } = toScientific(value, wanted);
  const scientific = (all: string) => all[0]! + (all.length > 1 ? `.${all.slice(1)}` : "") + exponentText(exponent);
  if (kind === "e") return scientific(digits);
  if (exponent < -4 || exponent > wanted) return scientific(digits.replace(/(?<=.)0+$/, ""));
  const fixed = toFixed(value, Math.max(0, wanted - exponent));
  return fixed.includes(".") ? fixed.replace(/\.?0+$/, "") : fixed;
}

function cut(text: string, precision: number | undefined, runtime: Runtime): string {
  if (precision === undefined) return text;
  const all = characters(text, runtime);
  return typeof all === "string" ? all.slice(0, precision) : (all as string[]).slice(0, precision).join("");
}

function pad(text: string, { fill, align, width }: Spec, runtime: Runtime): string {
  if (width > MAX_TEXT) throw new TemplateError(`a width of it is above ${MAX_TEXT}`);
  const missing = width - countCharacters(text, runtime);
  if (missing <= 0) return text;
  runtime.allocate(text.length + missing);
  if (align === "=") {
    const sign = /^[-+ ]?(?:0[xXob])?/.exec(text)![0];
    return sign + fill.repeat(missing) + text.slice(sign.length);
  }
  const before = align === "<" ? 0 : align === "^" ? missing >> 1 : missing;
  return fill.repeat(before) + text + fill.repeat(missing - before);
}

const SPEC = /^(?:([\s\S]?)([<>=^]))?([-+ ]?)(z?)(#?)(0?)(\d*)([,_]?)(?:\.(\d+))?([a-zA-Z%]?)$/u;

/** format(value, specification). @throws TemplateError where Python raises */
function formatValue(value: Value, specification: string, runtime: Runtime): string {
  if (specification === "") return str(value, runtime);
  runtime.items(4);
  const match = SPEC.exec(specification);
  if (!match || match[4]) throw new TemplateError(`Invalid format specifier '${specification.slice(0, 80)}'`);
  const [, fill, align, sign = "", , alternate, zero, width = "", grouping = "", precision, type = ""] = match;
  const spec: Spec = {
    fill: fill || (zero && !align ? "0" : " "),
    align: align ?? (zero ? "=" : undefined),
    sign,
    alternate: alternate !== "",
    width: Number(width),
    grouping,
    precision: precision === undefined ? undefined : Number(precision),
    type,
  };
  if (asText(value) !== undefined) return formatString(asText(value)!, spec, runtime);
  if (typeof value === "boolean" && type === "") return formatString(str(value, runtime), spec, runtime);
  if (typeof value === "bigint" || typeof value === "boolean") return formatInteger(BigInt(value), spec, runtime);
  if (typeof value === "number") return formatNumber(value, spec, runtime);
  throw new TemplateError(`unsupported format string passed to ${typeName(value)}.__format__`);
}

function formatString(text: string, spec: Spec, runtime: Runtime): string {
  const { type, sign, align = "<", grouping, alternate } = spec;
  if ((type !== "" && type !== "s") || sign !== "" || align === "=" || grouping !== "" || alternate) {
    throw new TemplateError("Invalid format specifier for a str");
  }
  return pad(cut(text, spec.precision, runtime), { ...spec, align }, runtime);
}

function formatInteger(value: bigint, spec: Spec, runtime: Runtime): string {
  const { type, align = ">", grouping } = spec;
  if ("eEfFgG%".includes(type) && type !== "") return formatNumber(Number(value), spec, runtime);
  if (spec.precision !== undefined) throw new TemplateError("Precision not allowed in integer format specifier");
  if (!["", "d", "x", "X", "o", "b"].includes(type)) throw unsupported(`the format ${type} of an int`);
  const decimal = type === "" || type === "d";
  if (grouping !== "" && (!decimal || align === "=")) throw unsupported("grouping with padding, or of other bases");
  const digits = decimal ? integerDigits(value, 0, runtime) : radix(value, spec, runtime);
  return pad(signed(grouped(digits, grouping), spec), { ...spec, align }, runtime);
}

function formatNumber(value: number, spec: Spec, runtime: Runtime): string {
  const { type, align = ">", grouping, precision } = spec;
  if (type === "%") throw unsupported("the format % of a number");
  if (type === "n") throw unsupported("the format n");
  if (type === "") {
    if (precision !== undefined || grouping !== "") throw unsupported("a precision without a type");
    return pad(signed(writeFloat(value), spec), { ...spec, align }, runtime);
  }
  if (!"eEfFgG".includes(type)) throw new TemplateError(`Unknown format code '${type}' for object of type 'float'`);
  if (grouping === "") return formatFloat(value, { ...spec, align }, runtime);
  if (align === "=") throw unsupported("grouping with padding");
  const text = formatFloat(value, { ...spec, width: 0 }, runtime);
  return pad(grouped(text, grouping), { ...spec, align }, runtime);
}

/** Every three digits before the point apart. */
function grouped(digits: string, separator: string): string {
  if (separator === "") return digits;
  const [whole = "", ...rest] = digits.split(/(?=[.e])/);
  return [whole.replace(/\d(?=(\d{3})+$)/g, `$&${separator}`), ...rest].join("");
}

/** How str.format() looks things up. */
export interface FieldLookup {
  args: readonly Value[];
  named: ReadonlyMap<string, Value>;
  attribute(value: Value, name: string): Value;
  item(value: Value, index: Value): Value;
}

const FIELD = /^([^.[\]!:]*)((?:\.[^.[\]!:]+|\[[^\]]+\])*)(?:!([rs]))?(?::([\s\S]*))?$/;

/** `template.format(...)`. @throws TemplateError where Python raises */
export function formatTemplate(template: string, fields: FieldLookup, runtime: Runtime): string {
  const parts: string[] = [];
  let automatic = 0;
  let manual = false;
  runtime.text(template.length);
  for (const match of template.matchAll(/\{\{|\}\}|\{((?:[^{}]|\{[^{}]*\})*)\}|[{}]|[^{}]+/g)) {
    const [whole, field] = match;
    runtime.items(2);
    if (whole === "{{" || whole === "}}") parts.push(whole[0]!);
    else if (field === undefined && (whole === "{" || whole === "}")) {
      throw new TemplateError(`Single '${whole}' encountered in format string`);
    } else if (field === undefined) parts.push(whole);
    else {
      if (/[{}]/.test(field)) throw unsupported("a nested field in a format");
      const match = FIELD.exec(field);
      if (!match) throw unsupported(`the format field "${field.slice(0, 80)}"`);
      const [, name = "", path = "", convert, spec = ""] = match;
      const numbered = name === "" && path === "";
      manual ||= /^\d/.test(name);
      if (manual && (numbered || automatic > 0)) throw new TemplateError("cannot mix {} and {0} in a format");
      const base = named(numbered ? String(automatic++) : name, fields);
      const value = follow(base, path, fields);
      const converted = convert === "r" ? repr(value, runtime) : convert === "s" ? str(value, runtime) : value;
      parts.push(formatValue(converted, spec, runtime));
    }
  }
  return joined(parts, runtime);
}

function named(name: string, { args, named }: FieldLookup): Value {
  const value = /^\d+$/.test(name) ? args[Number(name)] : named.get(name);
  if (value === undefined) throw new TemplateError(`a format has no argument for {${name.slice(0, 80)}}`);
  return value;
}

function follow(base: Value, path: string, fields: FieldLookup): Value {
  let value = base;
  for (const [, attribute, index] of path.matchAll(/\.([^.[]+)|\[([^\]]+)\]/g)) {
    if (attribute !== undefined) value = fields.attribute(value, attribute);
    else value = fields.item(value, /^\d+$/.test(index!) ? BigInt(index!) : index!);
  }
  return value;
}
