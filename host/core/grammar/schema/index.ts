// JSON Schema (draft 2020-12, https://json-schema.org/draft/2020-12, and draft 7) as a grammar. What it writes is always valid; where
// not all that is valid can be written, it is a part of it, as docs/assistant.md says.

import type { JsonSchema } from "../../api/api.js";
import type { Steps } from "../shared/slices.js";
import { checkSize } from "./read/errors.js";
import { Writer } from "./write/writer.js";

/**
 * Rules in llama.cpp's GBNF of which `rootName` is the JSON that is valid against the schema; the names of all others start with
 * `rootName-`, so that several schemas can share a grammar. The rules end with a line break.
 * @throws ZagreusError BAD_SCHEMA; `field` is the path of what is wrong or cannot be guaranteed
 */
export function* schemaToGrammar(schema: JsonSchema, rootName: string): Steps<string> {
  checkSize(schema);
  return yield* new Writer(schema, rootName).run();
}
