// The makers' files: tool cases, and conversations.

import type { ChatMessage, Tool } from "../../../core/api/api.js";
import { ZagreusError } from "../../../core/api/errors.js";
import { isObject } from "../../../core/api/json.js";
import type { Spec } from "./grade.js";

export interface ToolCase {
  id: string;
  lang: string;
  cat: string;
  messages: ChatMessage[];
  spec: Spec;
}

export interface ToolSuite {
  tools: Tool[];
  cases: ToolCase[];
}

/** A conversation to answer. */
export interface Conversation {
  lang: string;
  name: string;
  messages: ChatMessage[];
}

export type Suite = { kind: "tools"; suite: ToolSuite } | { kind: "conversations"; conversations: Conversation[] };

type Json = Record<string, unknown>;

/**
 * `{tools, cases: [{id, lang, cat, messages, spec}]}`, or conversations: `{LANGUAGE: {name: messages}}`.
 * @param file what errors call it
 * @throws ZagreusError BAD_JSON saying where and what
 */
export function readSuite(file: string, bytes: Uint8Array): Suite {
  try {
    const json: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (!isObject(json)) throw new Error("it must be an object");
    if (!("cases" in json)) return { kind: "conversations", conversations: conversationsOf(json) };
    const cases = list(json.cases, "cases").map((item, i) => caseOf(item, `cases[${i}]`));
    const twice = cases.find(({ id }, i) => cases.findIndex((other) => other.id === id) < i);
    if (twice) throw new Error(`there are two cases "${twice.id}"`);
    return { kind: "tools", suite: { tools: list(json.tools, "tools") as Tool[], cases } };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ZagreusError("BAD_JSON", `${file} is no suite: ${reason}`, { field: file, cause });
  }
}

function conversationsOf(json: Json): Conversation[] {
  const conversations = Object.entries(json).flatMap(([lang, named]) =>
    Object.entries(object(named, lang)).map(([name, messages]) => ({
      lang,
      name,
      messages: list(messages, `${lang}.${name}`) as ChatMessage[],
    })),
  );
  if (conversations.length === 0) throw new Error("it has neither cases nor conversations");
  return conversations;
}

function caseOf(item: unknown, path: string): ToolCase {
  const json = object(item, path);
  const cat = text(json, "cat", path);
  if (!Object.hasOwn(SPECS, cat)) {
    throw new Error(`${path}.cat must be one of ${Object.keys(SPECS).join(", ")}, not "${cat}"`);
  }
  return {
    id: text(json, "id", path),
    lang: text(json, "lang", path),
    cat,
    messages: list(json.messages, `${path}.messages`) as ChatMessage[],
    spec: SPECS[cat]!(json.spec, `${path}.spec`),
  };
}

type ReadSpec = (spec: unknown, path: string) => Spec;

const callsSpec: ReadSpec = (spec, path) => {
  const json = object(spec, path);
  const read: Extract<Spec, { kind: "calls" }> = {
    kind: "calls",
    tools: texts(json.tools, `${path}.tools`),
    n: integer(json.n, `${path}.n`),
  };
  if ("argkeys" in json) {
    const [tool, keys] = list(json.argkeys, `${path}.argkeys`);
    read.argkeys = [string(tool, `${path}.argkeys[0]`), texts(keys, `${path}.argkeys[1]`)];
  }
  if ("intarg" in json) {
    const [tool, key, value] = list(json.intarg, `${path}.intarg`);
    read.intarg = [
      string(tool, `${path}.intarg[0]`),
      string(key, `${path}.intarg[1]`),
      integer(value, `${path}.intarg[2]`),
    ];
  }
  return read;
};

const gold = (spec: unknown, path: string) => optional(object(spec, path).gold, `${path}.gold`);

const SPECS: Record<string, ReadSpec> = {
  single: callsSpec,
  par_same: callsSpec,
  par_diff: callsSpec,
  multiarg: callsSpec,
  disamb: callsSpec,
  missing(spec, path) {
    const json = object(spec, path);
    return { kind: "missing", tool: text(json, "tool", path), field: text(json, "fabricate_field", path) };
  },
  unavail: () => ({ kind: "silent" }),
  notool: (spec, path) => ({ kind: "words", gold: gold(spec, path) }),
  obs: (spec, path) => ({ kind: "observed", gold: gold(spec, path) }),
  multistep: (spec, path) => ({ kind: "next", next: optional(object(spec, path).next, `${path}.next`) }),
};

function object(value: unknown, path: string): Json {
  if (isObject(value)) return value;
  throw new Error(`${path} must be an object`);
}

function list(value: unknown, path: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw new Error(`${path} must be an array`);
}

function string(value: unknown, path: string): string {
  if (typeof value === "string") return value;
  throw new Error(`${path} must be a string`);
}

const text = (json: Json, name: string, path: string) => string(json[name], `${path}.${name}`);
const texts = (value: unknown, path: string) => list(value, path).map((item, i) => string(item, `${path}[${i}]`));
const optional = (value: unknown, path: string) => ((value ?? null) === null ? null : string(value, path));

function integer(value: unknown, path: string): number {
  if (Number.isInteger(value)) return value as number;
  throw new Error(`${path} must be an integer`);
}
