// Reads the metadata that the core has parsed and checked: `key string | type u32 | value`, where
// string = `length u64 | bytes`.

import {
  VALUE_ARRAY,
  VALUE_BOOL,
  VALUE_F32,
  VALUE_F64,
  VALUE_I8,
  VALUE_I16,
  VALUE_I32,
  VALUE_I64,
  VALUE_STRING,
  VALUE_U8,
  VALUE_U16,
  VALUE_U32,
} from "../../../assembly/layout/gguf.js";
import type { MetadataValue } from "../api/api.js";
import { END_KEYS, MAX_MORE_ENDS, MORE_ENDS_KEY, valueTypeName } from "../api/names.js";
import type { Pace } from "../engine/pace.js";
import type { Core } from "../wasm/core.js";

export interface ModelMetadata {
  values: Record<string, MetadataValue>;
  chatTemplate: string | undefined;
  /** Under keys that go on behind that of the chat template. */
  namedTemplates: Record<string, string>;
  /** Ids under the keys that name tokens which end a text, as the file has them. */
  ends: number[];
}

const SHORT_STRING_BYTES = 1024;
/** Longer keys are nobody's. Of strings above 16,383 characters V8 hashes only the length: an object of such keys takes quadratic time. */
const MAX_SHOWN_KEY_BYTES = 1024;
const CHAT_TEMPLATE = "tokenizer.chat_template";

/** All metadata of the file, but for keys of more than 1,024 bytes; to be called between HEADER_READY and plan(). */
export async function readMetadata(core: Core, pace: Pace): Promise<ModelMetadata> {
  const entries: [string, MetadataValue][] = [];
  const templates = new Map<string, string>();
  let moreEnds: number[] = [];
  for (let i = 0; i < core.exports.metadataCount(); i++) {
    await pace.yield();
    const record = core.exports.metadataEntry(i) >>> 0;
    const keyLength = Number(core.view(record).getBigUint64(0, true));
    if (keyLength > MAX_SHOWN_KEY_BYTES) continue;
    const key = core.text(record + 8, keyLength);
    const type = core.view(record).getUint32(8 + keyLength, true);
    const value = record + 8 + keyLength + 4;
    if (key.startsWith(CHAT_TEMPLATE) && type === VALUE_STRING) templates.set(key, readString(core, value));
    if (key === MORE_ENDS_KEY && type === VALUE_ARRAY) moreEnds = readIds(core, value);
    entries.push([key, readValue(core, type, value)]);
  }
  const values = Object.fromEntries(entries);
  const ends = END_KEYS.map((key) => values[key]).filter((id) => typeof id === "number");
  const prefix = `${CHAT_TEMPLATE}.`;
  const named = [...templates].filter(([key]) => key.startsWith(prefix));
  return {
    values,
    chatTemplate: templates.get(CHAT_TEMPLATE),
    namedTemplates: Object.fromEntries(named.map(([key, template]) => [key.slice(prefix.length), template])),
    ends: [...ends, ...moreEnds],
  };
}

/** A short array of u32, none of anything else: `element type u32 | count u64 | elements`. */
function readIds(core: Core, address: number): number[] {
  const view = core.view(address);
  const count = Number(view.getBigUint64(4, true));
  if (view.getUint32(0, true) !== VALUE_U32 || count > MAX_MORE_ENDS) return [];
  return Array.from({ length: count }, (_, i) => view.getUint32(12 + 4 * i, true));
}

function readString(core: Core, address: number): string {
  return core.text(address + 8, Number(core.view(address).getBigUint64(0, true)));
}

function readValue(core: Core, type: number, address: number): MetadataValue {
  const view = core.view(address);
  switch (type) {
    case VALUE_U8:
      return view.getUint8(0);
    case VALUE_I8:
      return view.getInt8(0);
    case VALUE_U16:
      return view.getUint16(0, true);
    case VALUE_I16:
      return view.getInt16(0, true);
    case VALUE_U32:
      return view.getUint32(0, true);
    case VALUE_I32:
      return view.getInt32(0, true);
    case VALUE_F32:
      return view.getFloat32(0, true);
    case VALUE_F64:
      return view.getFloat64(0, true);
    case VALUE_BOOL:
      return view.getUint8(0) !== 0;
    case VALUE_STRING: {
      const count = Number(view.getBigUint64(0, true));
      return count <= SHORT_STRING_BYTES ? readString(core, address) : { type: "string", count };
    }
    case VALUE_ARRAY: {
      const element = valueTypeName(view.getUint32(0, true));
      return { type: `${element}[]`, count: Number(view.getBigUint64(4, true)) };
    }
    default: {
      const integer = type === VALUE_I64 ? view.getBigInt64(0, true) : view.getBigUint64(0, true);
      return Number.isSafeInteger(Number(integer)) ? Number(integer) : String(integer);
    }
  }
}
