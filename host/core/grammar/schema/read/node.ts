// What a schema is once it is read: nodes, each with a cell of facts, which name further nodes.

export class SchemaNode {
  readonly id: number;
  /** Where it stands in the document, or the first of those that are equal. */
  readonly path: string;
  /** What it says itself; undefined: nothing is valid. */
  readonly own: Cell | undefined;
  readonly parts: Applicators;

  constructor(id: number, path: string, own: Cell | undefined, parts: Applicators) {
    this.id = id;
    this.path = path;
    this.own = own;
    this.parts = parts;
  }
}

/** Where a reference leads, and where it stands. */
export interface Reference {
  pointer: string;
  path: string;
}

/** Keywords that apply further schemas to the same value. */
export interface Applicators {
  references?: readonly Reference[];
  allOf?: readonly SchemaNode[];
  anyOf?: readonly SchemaNode[];
  oneOf?: readonly SchemaNode[];
  not?: SchemaNode;
  condition?: { test: SchemaNode; yes: SchemaNode | undefined; no: SchemaNode | undefined };
  dependents?: readonly Dependent[];
  unevaluatedItems?: SchemaNode;
  unevaluatedProperties?: SchemaNode;
}

/** What has to hold where a property is there. */
export interface Dependent {
  name: string;
  schema: SchemaNode;
}

export interface Bound {
  value: number;
  /** Whether the value itself is out. */
  exclusive: boolean;
}

/** Something that a string must match. */
export interface PatternFact {
  pattern: string;
  path: string;
  negated: boolean;
}

/** A schema for the items at the places `from` up to, not including, `to`. */
export interface ItemFact {
  from: number;
  to: number;
  schema: SchemaNode;
}

/** How many items have to be valid against a schema. */
export interface ContainsFact {
  schema: SchemaNode;
  min: number;
  max: number;
}

export interface PropertyFact {
  name: string;
  schema: SchemaNode;
  /** Whether it only limits a property that others speak of. */
  hidden: boolean;
}

/** A schema for properties whose names match a pattern. */
export interface NameFact {
  pattern: string;
  schema: SchemaNode;
}

/** A schema for all properties but those with these names and those that match these patterns. */
export interface OtherFact {
  names: readonly string[];
  patterns: readonly string[];
  schema: SchemaNode;
}

export interface Facts {
  /** The values that are possible, if they are listed. */
  values: readonly unknown[];
  minimum: Bound;
  maximum: Bound;
  multipleOf: readonly number[];
  notMultipleOf: readonly number[];
  minLength: number;
  maxLength: number;
  patterns: readonly PatternFact[];
  formats: readonly { format: string; path: string }[];
  /** Strings that may not be. */
  excluded: readonly string[];
  minItems: number;
  maxItems: number;
  uniqueItems: boolean;
  items: readonly ItemFact[];
  contains: readonly ContainsFact[];
  minProperties: number;
  maxProperties: number;
  required: readonly string[];
  properties: readonly PropertyFact[];
  patternProperties: readonly NameFact[];
  others: readonly OtherFact[];
  propertyNames: readonly SchemaNode[];
  /** What `unevaluatedProperties` and `unevaluatedItems` do not see: names, patterns of names, or all properties, */
  seenNames: readonly string[];
  seenPatterns: readonly string[];
  seenAll: boolean;
  /** the items before this one, and those that are valid against one of these. */
  seenItems: number;
  seenContains: readonly SchemaNode[];
}

export interface Cell extends Partial<Facts> {
  /** Types that are possible. */
  types: number;
  /** Whether a keyword lists types or values; else a value should be of a type that keywords speak of. */
  said: boolean;
  spoken: number;
}

/** The same for equal facts, wherever they stand. Equal schemas are one node, which its number stands for. Not for listed values. */
export const textOf = (facts: unknown): string =>
  JSON.stringify(facts, (key, value) => {
    if (key === "path") return undefined;
    if (value === Number.POSITIVE_INFINITY) return "Infinity";
    return value instanceof SchemaNode ? value.id : value;
  });
