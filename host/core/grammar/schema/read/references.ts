// Where references of a schema lead: $id, $anchor and $dynamicAnchor within it (JSON Schema 2020-12, Core, sections 8.2 and 9.2).

import { Rest, type Steps } from "../../shared/slices.js";
import { badSchema } from "./errors.js";
import { isObject, type JsonObject, own } from "./types.js";

/** Keywords whose value is a schema, a list of schemas, or an object of schemas. */
const SCHEMAS = ["not", "if", "then", "else", "items", "additionalItems", "unevaluatedItems", "contains"].concat(
  ["additionalProperties", "unevaluatedProperties", "propertyNames", "contentSchema"], // biome-ignore format: as above
);
const LISTS = ["allOf", "anyOf", "oneOf", "prefixItems", "items"];
const OBJECTS = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];

/** Schemas between two steps. */
const SCHEMAS_PER_STEP = 1000;

/** The URI of a schema that has none. */
const NO_URI = "schema:/root";

/** Places in a schema by JSON pointer: "" is the schema itself, "/items" what is in its `items`. */
export class References {
  readonly #root: unknown;
  readonly #rest = new Rest(SCHEMAS_PER_STEP);
  /** Pointers by URI, with and without the fragment of an anchor. */
  readonly #targets = new Map<string, string>();
  /** URIs that references of a place are relative to, by pointer. */
  readonly #bases = new Map<string, string>();
  /** Pointers of the schemas with a dynamic anchor. */
  readonly #dynamic = new Set<string>();
  /** Whether what stands beside a $ref says nothing. */
  readonly referencesStandAlone: boolean;

  constructor(root: unknown) {
    this.#root = root;
    const draft = isObject(root) ? own(root, "$schema") : undefined;
    this.referencesStandAlone = typeof draft === "string" && /\/draft-0[3-7]\//.test(draft);
    this.#targets.set(NO_URI, "");
  }

  /** Finds the names of all schemas, before they can be resolved. */
  find(): Steps<void> {
    return this.#visit(this.#root, "", NO_URI);
  }

  /** The value at a pointer. @throws ZagreusError BAD_SCHEMA */
  at(pointer: string, place: string, reference: string): unknown {
    let target = this.#root;
    for (const part of pointer.split("/").slice(1)) {
      const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
      const found = target !== null && typeof target === "object" && Object.hasOwn(target, key);
      if (!found) throw badSchema(place, `"${reference}" does not exist`, reference);
      target = (target as JsonObject)[key];
    }
    return target;
  }

  /**
   * The pointer that a $ref leads to.
   * @param pointer of the schema that it stands in
   * @throws ZagreusError BAD_SCHEMA when that is not in this document
   */
  resolve(reference: string, pointer: string, schema: JsonObject): string {
    const place = `#${pointer}/$ref`;
    const target = this.#find(reference, this.#baseOf(pointer), place);
    if (own(schema, "$id") === undefined || this.referencesStandAlone || pointer === "") return target;
    // Up to draft 7 the $id beside a $ref said nothing.
    const parent = this.#baseOf(pointer.slice(0, pointer.lastIndexOf("/")));
    const before = this.#targets.get(uriOf(reference, parent) ?? "");
    if (before === undefined || before === target) return target;
    throw badSchema(place, `with $id beside it leads where the draft says, which "$schema" has to name`, reference);
  }

  /**
   * The same for $dynamicRef, where the outermost schema decides: it is outside of whatever leads there. Where that has no such anchor,
   * what is meant depends on the way that leads there.
   */
  resolveDynamic(reference: string, pointer: string): string {
    const place = `#${pointer}/$dynamicRef`;
    const target = this.#find(reference, this.#baseOf(pointer), place);
    const anchor = /#[^/].*$/.exec(reference)?.[0];
    const root = anchor && this.#targets.get(this.#baseOf("") + anchor);
    if (root === "" && this.#dynamic.has(root) && this.#dynamic.has(target)) return root;
    throw badSchema(
      place,
      `"${reference}" depends on the way that leads there, as the whole schema has no such anchor`,
    );
  }

  #find(reference: string, base: string, place: string): string {
    const uri = uriOf(reference, base);
    const known = uri === undefined ? undefined : this.#targets.get(uri);
    if (known !== undefined) return known;
    const [resource, fragment] = (uri ?? "").split("#", 2) as [string, string | undefined];
    const start = this.#targets.get(resource);
    if (start === undefined) throw badSchema(place, `"${reference}" is not in this schema`, reference);
    const path = decoded(fragment ?? "");
    if (!/^(\/|$)/.test(path)) throw badSchema(place, `"${reference}" does not exist`, reference);
    this.at(start + path, place, reference);
    return start + path;
  }

  /** Of a place that is no schema's, that of the one around it. */
  #baseOf(pointer: string): string {
    for (let at = pointer; ; at = at.slice(0, at.lastIndexOf("/"))) {
      const base = this.#bases.get(at);
      if (base !== undefined) return base;
    }
  }

  *#visit(schema: unknown, pointer: string, outer: string): Steps<void> {
    if (!isObject(schema)) return;
    yield* this.#rest.after(1);
    const base = this.#name(schema, pointer, outer);
    this.#bases.set(pointer, base);
    for (const keyword of SCHEMAS) yield* this.#visit(own(schema, keyword), `${pointer}/${keyword}`, base);
    for (const keyword of LISTS) {
      const list = own(schema, keyword);
      if (!Array.isArray(list)) continue;
      for (const [i, item] of list.entries()) yield* this.#visit(item, `${pointer}/${keyword}/${i}`, base);
    }
    for (const keyword of OBJECTS) {
      const inner = own(schema, keyword);
      if (!isObject(inner)) continue;
      for (const key of Object.keys(inner))
        yield* this.#visit(inner[key], `${pointer}/${keyword}/${escaped(key)}`, base);
    }
  }

  /** Enters a schema under its names; returns the URI that its references are relative to. */
  #name(schema: JsonObject, pointer: string, outer: string): string {
    const id = own(schema, "$id");
    const isAlone = this.referencesStandAlone && own(schema, "$ref") !== undefined;
    let base = outer;
    if (typeof id === "string" && !isAlone) {
      const uri = uriOf(id, outer);
      if (uri !== undefined && !this.#targets.has(uri)) this.#targets.set(uri, pointer);
      if (uri !== undefined && !id.startsWith("#")) base = uri.split("#", 1)[0]!;
    }
    for (const keyword of ["$anchor", "$dynamicAnchor"]) {
      const anchor = own(schema, keyword);
      if (typeof anchor !== "string") continue;
      const uri = `${base}#${anchor}`;
      if (!this.#targets.has(uri)) this.#targets.set(uri, pointer);
      if (keyword === "$dynamicAnchor") this.#dynamic.add(pointer);
    }
    return base;
  }
}

/** Absolute, without a fragment that is empty; undefined where that makes no URI. */
function uriOf(reference: string, base: string): string | undefined {
  try {
    return new URL(reference, base).href.replace(/#$/, "");
  } catch {
    return undefined;
  }
}

function decoded(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}

/** A name as a part of a JSON pointer. */
export const escaped = (name: string): string => name.replaceAll("~", "~0").replaceAll("/", "~1");
