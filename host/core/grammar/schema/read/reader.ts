// Reads a schema into nodes whose keywords are known to be what they must be. Equal schemas are one node.

import { mapInSteps, Rest, type Steps } from "../../shared/slices.js";
import { cellOf, merge } from "./cell.js";
import { badSchema } from "./errors.js";
import { count, list, members, number, strings, text } from "./keywords.js";
import {
  type Applicators,
  type Bound,
  type Cell,
  type Dependent,
  type Facts,
  type Reference,
  SchemaNode,
  textOf,
} from "./node.js";
import { escaped, References } from "./references.js";
import {
  ALL_TYPES,
  ARRAY,
  canonical,
  isObject,
  type JsonObject,
  NUMBER,
  OBJECT,
  own,
  STRING,
  TYPE_NAMES,
} from "./types.js";

/** A place in the document. */
interface Place {
  schema: JsonObject;
  pointer: string;
}

const INT32: Partial<Facts> = { minimum: at(-(2 ** 31)), maximum: at(2 ** 31 - 1) };
const UINT32: Partial<Facts> = { minimum: at(0), maximum: at(2 ** 32 - 1) };

function at(value: number, exclusive = false): Bound {
  return { value, exclusive };
}

const whole = (keyword: keyof Facts) => (place: Place) => factOf(keyword, count(place.schema, keyword, where(place)));
const bound = (fact: "minimum" | "maximum", keyword: string, exclusive: boolean) => (place: Place) => {
  // Up to draft 4, and in OpenAPI 3.0, exclusiveMinimum and exclusiveMaximum say of the other bound whether it is out.
  const said = own(place.schema, keyword);
  const value = number(place.schema, typeof said === "boolean" ? fact : keyword, where(place));
  return value === undefined || said === false ? {} : { [fact]: at(value, exclusive) };
};

/** What one keyword says, and of what type of values; most facts have the name of their keyword. */
const FACTS: readonly [keyword: string, spoken: number, read: (place: Place) => Partial<Facts>][] = [
  ["enum", 0, (place) => factOf("values", list(place.schema, "enum", where(place)))],
  ["const", 0, ({ schema }) => ({ values: [schema.const] })],
  ["minimum", NUMBER, bound("minimum", "minimum", false)],
  ["exclusiveMinimum", NUMBER, bound("minimum", "exclusiveMinimum", true)],
  ["maximum", NUMBER, bound("maximum", "maximum", false)],
  ["exclusiveMaximum", NUMBER, bound("maximum", "exclusiveMaximum", true)],
  ["multipleOf", NUMBER, multipleOf],
  ["minLength", STRING, whole("minLength")],
  ["maxLength", STRING, whole("maxLength")],
  ["pattern", STRING, pattern],
  ["format", STRING, format],
  ["minItems", ARRAY, whole("minItems")],
  ["maxItems", ARRAY, whole("maxItems")],
  ["uniqueItems", ARRAY, ({ schema }) => (schema.uniqueItems === true ? { uniqueItems: true } : {})],
  ["minProperties", OBJECT, whole("minProperties")],
  ["maxProperties", OBJECT, whole("maxProperties")],
  ["required", OBJECT, required],
];

/** Keywords that speak of a type beside those. */
const SPOKEN: readonly [type: number, keywords: readonly string[]][] = [
  [ARRAY, ["items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"]],
  [OBJECT, ["properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "propertyNames"]],
  [OBJECT, ["dependentRequired", "dependentSchemas", "dependencies"]],
];

const where = ({ pointer }: Place): string => `#${pointer}`;

function factOf<K extends keyof Facts>(fact: K, value: Facts[K] | undefined): Partial<Facts> {
  return value === undefined ? {} : { [fact]: value };
}

function multipleOf(place: Place): Partial<Facts> {
  const value = number(place.schema, "multipleOf", where(place))!;
  if (value > 0) return { multipleOf: [value] };
  throw badSchema(`${where(place)}/multipleOf`, "must be above 0", value);
}

function pattern(place: Place): Partial<Facts> {
  const value = text(place.schema, "pattern", where(place))!;
  return { patterns: [{ pattern: value, path: `${where(place)}/pattern`, negated: false }] };
}

function format(place: Place): Partial<Facts> {
  const value = text(place.schema, "format", where(place))!;
  if (value === "int32") return INT32;
  if (value === "uint32") return UINT32;
  return { formats: [{ format: value, path: `${where(place)}/format` }] };
}

function required(place: Place): Partial<Facts> {
  return { required: [...new Set(strings(place.schema, "required", where(place)))] };
}

/** Schemas that are read between two steps. */
const SCHEMAS_PER_STEP = 300;

export class Reader {
  readonly references: References;
  readonly anything: SchemaNode;
  readonly nothing: SchemaNode;
  readonly #root: unknown;
  readonly #rest = new Rest(SCHEMAS_PER_STEP);
  readonly #known = new Map<string, SchemaNode>();
  readonly #byPointer = new Map<string, SchemaNode>();

  constructor(root: unknown) {
    this.#root = root;
    this.references = new References(root);
    this.anything = this.#intern("true", "#", cellOf(ALL_TYPES), {});
    this.nothing = this.#intern("false", "#", undefined, {});
  }

  *root(): Steps<SchemaNode> {
    yield* this.references.find();
    return yield* this.#read(this.#root, "");
  }

  /** What a reference leads to. */
  *target({ pointer, path }: Reference): Steps<SchemaNode> {
    const known = this.#byPointer.get(pointer);
    if (known) return known;
    return yield* this.#read(this.references.at(pointer, path, pointer), pointer);
  }

  /** What is not valid against a schema. */
  not(node: SchemaNode): SchemaNode {
    if (node === this.anything) return this.nothing;
    if (node === this.nothing) return this.anything;
    return this.#intern(`not ${node.id}`, node.path, cellOf(ALL_TYPES), { not: node });
  }

  anyOf(nodes: readonly SchemaNode[]): SchemaNode {
    if (nodes.length === 1) return nodes[0]!;
    const key = `anyOf ${nodes.map(({ id }) => id).join()}`;
    return this.#intern(key, nodes[0]!.path, cellOf(ALL_TYPES), { anyOf: nodes });
  }

  constant(value: unknown, path: string): SchemaNode {
    const cell = merge(cellOf(ALL_TYPES), { ...cellOf(ALL_TYPES, { values: [value] }), said: true });
    return this.#intern(`const ${canonical(value)}`, path, cell, {});
  }

  *#read(schema: unknown, pointer: string): Steps<SchemaNode> {
    yield* this.#rest.after(1);
    const node = yield* this.#readNew(schema, pointer);
    this.#byPointer.set(pointer, node);
    return node;
  }

  *#readNew(schema: unknown, pointer: string): Steps<SchemaNode> {
    if (schema === true || schema === undefined) return this.anything;
    if (schema === false) return this.nothing;
    if (!isObject(schema)) {
      const what = `is ${JSON.stringify(schema)}, must be an object, true or false`;
      throw badSchema(`#${pointer}`, what, schema);
    }
    const place: Place = { schema, pointer };
    const parts = yield* this.#applicators(place);
    if (this.references.referencesStandAlone && parts.references) {
      const alone = { references: parts.references };
      return this.#intern(keyOf(cellOf(ALL_TYPES), alone), where(place), cellOf(ALL_TYPES), alone);
    }
    const facts = [yield* this.#itemFacts(place), yield* this.#propertyFacts(place)];
    const cell = this.#ownCell(place, facts);
    return this.#intern(cell ? keyOf(cell, parts) : `nothing ${pointer}`, where(place), cell, parts);
  }

  #intern(key: string, path: string, cell: Cell | undefined, parts: Applicators): SchemaNode {
    const known = this.#known.get(key);
    if (known) return known;
    const node = new SchemaNode(this.#known.size, path, cell, parts);
    this.#known.set(key, node);
    return node;
  }

  #ownCell(place: Place, facts: readonly Partial<Facts>[]): Cell | undefined {
    const { schema } = place;
    const types = typesOf(place);
    let cell: Cell | undefined = { ...cellOf(types ?? ALL_TYPES), said: types !== undefined };
    const add = (some: Partial<Facts>, spoken: number) => {
      cell &&= merge(cell, { ...cellOf(ALL_TYPES, some), said: some.values !== undefined, spoken });
    };
    for (const [keyword, spoken, read] of FACTS) if (own(schema, keyword) !== undefined) add(read(place), spoken);
    for (const some of facts) add(some, 0);
    for (const [type, names] of SPOKEN) if (names.some((name) => own(schema, name) !== undefined)) add({}, type);
    return cell;
  }

  *#inner({ schema, pointer }: Place, keyword: string): Steps<SchemaNode | undefined> {
    const value = own(schema, keyword);
    return value === undefined ? undefined : yield* this.#read(value, `${pointer}/${keyword}`);
  }

  *#listed(place: Place, keyword: string): Steps<SchemaNode[] | undefined> {
    const schemas = list(place.schema, keyword, where(place));
    if (!schemas) return undefined;
    return yield* mapInSteps(schemas.entries(), ([i, schema]) =>
      this.#read(schema, `${place.pointer}/${keyword}/${i}`),
    );
  }

  *#named(place: Place, keyword: string): Steps<[name: string, schema: SchemaNode][]> {
    const inner = members(place.schema, keyword, where(place));
    const found: [string, SchemaNode][] = [];
    for (const name of Object.keys(inner)) {
      found.push([name, yield* this.#read(inner[name], `${place.pointer}/${keyword}/${escaped(name)}`)]);
    }
    return found;
  }

  *#applicators(place: Place): Steps<Applicators> {
    const test = yield* this.#inner(place, "if");
    const [yes, no] = [yield* this.#inner(place, "then"), yield* this.#inner(place, "else")];
    const dependents = [
      ...(yield* this.#dependents(place, "dependentSchemas")),
      ...(yield* this.#dependents(place, "dependentRequired")),
      ...(yield* this.#dependents(place, "dependencies")),
    ];
    const parts: Applicators = {
      references: this.#references(place),
      allOf: yield* this.#listed(place, "allOf"),
      anyOf: yield* this.#listed(place, "anyOf"),
      oneOf: yield* this.#listed(place, "oneOf"),
      not: yield* this.#inner(place, "not"),
      condition: test && (yes || no || test !== this.anything) ? { test, yes, no } : undefined,
      dependents: dependents.length > 0 ? dependents : undefined,
      unevaluatedItems: yield* this.#inner(place, "unevaluatedItems"),
      unevaluatedProperties: yield* this.#inner(place, "unevaluatedProperties"),
    } as Applicators;
    return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
  }

  #references({ schema, pointer }: Place): Reference[] | undefined {
    const found: Reference[] = [];
    for (const keyword of ["$ref", "$dynamicRef", "$recursiveRef"]) {
      const reference = own(schema, keyword);
      if (reference === undefined) continue;
      const path = `#${pointer}/${keyword}`;
      if (typeof reference !== "string") throw badSchema(path, "must be a string", reference);
      if (keyword === "$recursiveRef") throw badSchema(path, "is not understood, $dynamicRef is");
      const { references } = this;
      const target =
        keyword === "$ref"
          ? references.resolve(reference, pointer, schema)
          : references.resolveDynamic(reference, pointer);
      found.push({ pointer: target, path });
    }
    return found.length > 0 ? found : undefined;
  }

  /** Either schemas or lists of further names; `dependencies`, of draft 7, has both. */
  *#dependents(place: Place, keyword: string): Steps<Dependent[]> {
    const inner = members(place.schema, keyword, where(place));
    const found: Dependent[] = [];
    for (const name of Object.keys(inner)) {
      const pointer = `${place.pointer}/${keyword}/${escaped(name)}`;
      const isList = keyword !== "dependentSchemas" && Array.isArray(inner[name]);
      const names = isList ? strings(inner, name, `${where(place)}/${keyword}`) : [];
      const schema = isList ? this.#requiring(names, pointer) : yield* this.#read(inner[name], pointer);
      found.push({ name, schema });
    }
    return found;
  }

  #requiring(names: readonly string[], pointer: string): SchemaNode {
    const required = [...new Set(names)];
    return this.#intern(`required ${JSON.stringify(required)}`, `#${pointer}`, cellOf(ALL_TYPES, { required }), {});
  }

  *#itemFacts(place: Place): Steps<Partial<Facts>> {
    const { schema } = place;
    // Before draft 2020-12, items could be what is prefixItems now.
    const isTuple = Array.isArray(own(schema, "items"));
    const prefix = (yield* this.#listed(place, isTuple ? "items" : "prefixItems")) ?? [];
    const rest = yield* this.#inner(place, isTuple ? "additionalItems" : "items");
    const items = prefix.map((inner, i) => ({ from: i, to: i + 1, schema: inner }));
    if (rest) items.push({ from: prefix.length, to: Number.POSITIVE_INFINITY, schema: rest });
    const contains = yield* this.#inner(place, "contains");
    const min = count(schema, "minContains", where(place)) ?? 1;
    const max = count(schema, "maxContains", where(place)) ?? Number.POSITIVE_INFINITY;
    return {
      ...(items.length > 0 && { items, seenItems: rest ? Number.POSITIVE_INFINITY : prefix.length }),
      // Not all validators look where no item has to be found.
      ...(contains && { contains: [{ schema: contains, min, max }], ...(min > 0 && { seenContains: [contains] }) }),
    };
  }

  *#propertyFacts(place: Place): Steps<Partial<Facts>> {
    const properties = (yield* this.#named(place, "properties")).map(([name, schema]) => ({
      name,
      schema,
      hidden: false,
    }));
    const patterns = (yield* this.#named(place, "patternProperties")).map(([pattern, schema]) => ({ pattern, schema }));
    const rest = yield* this.#inner(place, "additionalProperties");
    const names = yield* this.#inner(place, "propertyNames");
    const [seenNames, seenPatterns] = [properties.map(({ name }) => name), patterns.map(({ pattern }) => pattern)];
    return {
      ...(own(place.schema, "properties") !== undefined && { properties, seenNames }),
      ...(patterns.length > 0 && { patternProperties: patterns, seenPatterns }),
      ...(rest && { others: [{ names: seenNames, patterns: seenPatterns, schema: rest }], seenAll: true }),
      ...(names && { propertyNames: [names] }),
    };
  }
}

function typesOf(place: Place): number | undefined {
  const said = own(place.schema, "type");
  if (said === undefined) return undefined;
  const names: unknown[] = Array.isArray(said) ? said : [said];
  return names.reduce<number>((types, name) => {
    if (typeof name === "string" && Object.hasOwn(TYPE_NAMES, name)) return types | TYPE_NAMES[name]!;
    throw badSchema(`${where(place)}/type`, `there is no type ${JSON.stringify(name)}`, name);
  }, 0);
}

/** The same for equal schemas. */
function keyOf({ values, ...facts }: Cell, parts: Applicators): string {
  return `${JSON.stringify(values)} ${textOf([facts, parts])}`;
}
