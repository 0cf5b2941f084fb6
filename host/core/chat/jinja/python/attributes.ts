// `value.name` and `value[name]`, as jinja2's ImmutableSandboxedEnvironment looks them up.

import { formatTemplate } from "./format.js";
import { equal, item } from "./operators.js";
import { type Runtime, TemplateError, unsupported } from "./runtime.js";
import { bind } from "./signature.js";
import { LEFT_OUT, type Method, STRING_METHODS } from "./strings.js";
import {
  asText,
  Callable,
  Dict,
  DictView,
  Group,
  type NamedArguments,
  Namespace,
  PyRange,
  SafeText,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.js";

/** Methods that change a value: the sandbox hides them. */
const FORBIDDEN: Record<string, string[]> = {
  list: ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"],
  dict: ["clear", "pop", "popitem", "setdefault", "update"],
};
/** What else has a name in Python, and none here. */
const OTHERS: Record<string, string[]> = {
  str: LEFT_OUT,
  dict: ["fromkeys"],
  int: ["as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes", "imag", "numerator"],
  float: ["as_integer_ratio", "conjugate", "fromhex", "hex", "imag", "real"],
  dict_items: ["isdisjoint", "mapping"],
  dict_keys: ["isdisjoint", "mapping"],
  dict_values: ["isdisjoint", "mapping"],
  generator: ["close", "gi_code", "gi_frame", "gi_running", "gi_yieldfrom", "send", "throw"],
};
OTHERS.int!.push("real", "to_bytes");
OTHERS.bool = OTHERS.int!;

/** Methods of safe text whose text is safe as well. */
const STAYS_SAFE = ["capitalize", "lower", "lstrip", "rstrip", "strip", "title", "upper", "swapcase"];
const READS = [
  "count",
  "endswith",
  "find",
  "index",
  "isalpha",
  "isdigit",
  "islower",
  "isspace",
  "isupper",
  "startswith",
];

/** value.name: what the type has by that name, then the item. @throws TemplateError for an attribute of undefined */
export function attribute(value: Value, name: string, runtime: Runtime): Value {
  if (value instanceof Undefined) throw value.fail();
  const own = ownAttribute(value, name, runtime);
  if (own !== undefined) return own;
  const found = item(value, name, runtime);
  return found === undefined ? missing(value, name) : found;
}

/** value[index]: the item, then what the type has by that name. @throws TemplateError for an item of undefined */
export function subscript(value: Value, index: Value, runtime: Runtime): Value {
  if (value instanceof Undefined) throw value.fail();
  const found = item(value, index, runtime);
  if (found !== undefined) return found;
  const name = asText(index);
  const own = name === undefined ? undefined : ownAttribute(value, runtime.plain(name), runtime);
  return own === undefined ? missing(value, name ?? "of that index") : own;
}

function missing(value: Value, name: string): Undefined {
  const type = value === null ? "None" : `${typeName(value)} object`;
  return new Undefined(`'${type}' has no attribute '${name.slice(0, 80)}'`);
}

/** What a type has by a name, without the items. */
export function ownAttribute(value: Value, name: string, runtime: Runtime): Value | undefined {
  const type = typeName(value);
  if (FORBIDDEN[type]?.includes(name)) {
    return new Undefined(`access to attribute '${name}' of '${type}' object is unsafe.`);
  }
  if (value instanceof Namespace) return name.startsWith("_") ? undefined : value.attributes.get(name);
  const text = asText(value);
  if (text !== undefined) return stringMethod(value, text, name, runtime);
  const method = objectMethod(value, name, runtime);
  if (method === undefined && OTHERS[type]?.includes(name)) throw unsupported(`${type}.${name}`);
  return method;
}

function method(name: string, signature: string, call: (...args: (Value | undefined)[]) => Value): Callable {
  return new Callable(name, (args, named) => call(...bind(name, signature, args, named)));
}

function stringMethod(value: Value, text: string, name: string, runtime: Runtime): Value | undefined {
  const known: Method | undefined = Object.hasOwn(STRING_METHODS, name) ? STRING_METHODS[name] : undefined;
  if (known === undefined && name !== "format") {
    if (LEFT_OUT.includes(name)) throw unsupported(`str.${name}`);
    return undefined;
  }
  if (value instanceof SafeText && !STAYS_SAFE.includes(name) && !READS.includes(name)) {
    throw unsupported(`${name}() of safe text`);
  }
  if (known === undefined) return new Callable("format", (args, named) => format(text, args, named, runtime));
  const [signature, call] = known;
  return method(name, signature, (...args) => {
    const result = call(text, runtime, ...args);
    return value instanceof SafeText && typeof result === "string" ? new SafeText(result) : result;
  });
}

function format(text: string, args: Value[], named: NamedArguments, runtime: Runtime): string {
  const fields = {
    args,
    named,
    attribute: (value: Value, name: string) => attribute(value, name, runtime),
    item: (value: Value, index: Value) => subscript(value, index, runtime),
  };
  return formatTemplate(text, fields, runtime);
}

function objectMethod(value: Value, name: string, runtime: Runtime): Value | undefined {
  if (value instanceof Dict) return dictMethod(value, name, runtime);
  if (value instanceof Group && name === "grouper") return value.items[0];
  if (value instanceof Group && name === "list") return value.items[1];
  if (Array.isArray(value) || value instanceof Tuple) return listMethod(value, name, runtime);
  if (value instanceof PyRange) return rangeAttribute(value, name);
  if (typeof value === "number" && name === "is_integer") return method(name, "/", () => Number.isInteger(value));
  return undefined;
}

function dictMethod(dict: Dict, name: string, runtime: Runtime): Value | undefined {
  switch (name) {
    case "get":
      return method(name, "key default? /", (key, otherwise = null) => {
        const value = dict.get(key!);
        return value === undefined ? otherwise : value;
      });
    case "items":
    case "keys":
    case "values":
      return method(name, "/", () => new DictView(name, dict));
    case "copy":
      return method(name, "/", () => new Dict(runtime, dict.entries()));
    default:
      return undefined;
  }
}

function listMethod(value: Value[] | Tuple, name: string, runtime: Runtime): Value | undefined {
  const items = Array.isArray(value) ? value : value.items;
  const same = (wanted: Value) => (one: Value) => one === wanted || equal(one, wanted, runtime);
  if (name === "count") return method(name, "value /", (wanted) => BigInt(items.filter(same(wanted!)).length));
  if (name === "index") {
    return method(name, "value /", (wanted) => {
      const at = items.findIndex(same(wanted!));
      if (at < 0) throw new TemplateError("the value is not in the list");
      return BigInt(at);
    });
  }
  if (name !== "copy" || !Array.isArray(value)) return undefined;
  return method(name, "/", () => {
    runtime.items(value.length);
    return [...value];
  });
}

function rangeAttribute(range: PyRange, name: string): Value | undefined {
  if (name === "start" || name === "stop" || name === "step") return BigInt(range[name]);
  if (name === "count" || name === "index") throw unsupported(`range.${name}`);
  return undefined;
}
