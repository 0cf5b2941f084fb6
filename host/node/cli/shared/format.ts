// --json-schema and --grammar: what an answer must be.

import { readFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import type { JsonSchema, ResponseFormat } from "../../index.js";
import { readJson } from "./json_file.js";

export interface FormatFlags {
  jsonSchema?: string;
  grammar?: string;
}

/** Adds --json-schema and --grammar. */
export function withFormat(command: Command): Command {
  return command
    .addOption(new Option("--json-schema <file>", "write JSON that is valid against this schema").conflicts("grammar"))
    .option("--grammar <file>", "write a text of this grammar, in llama.cpp's GBNF");
}

/** @throws ZagreusError BAD_JSON */
export async function responseFormat({ jsonSchema, grammar }: FormatFlags): Promise<ResponseFormat | undefined> {
  if (jsonSchema !== undefined) {
    return { type: "json_schema", schema: (await readJson(jsonSchema)) as JsonSchema };
  }
  return grammar === undefined ? undefined : { type: "grammar", grammar: await readFile(grammar, "utf8") };
}
