// `zagreus grammar`: compiles what a text must be for hosts without JavaScript.

import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { type FormatFlags, responseFormat, withFormat } from "../../shared/format.js";
import { loadModel, type ModelFlags, withModel } from "../../shared/model.js";
import { print, printJson } from "../../shared/output.js";

interface GrammarFlags extends ModelFlags, FormatFlags {
  out: string;
}

export function grammarCommand(): Command {
  return withFormat(withModel(new Command("grammar")))
    .description("compile a JSON Schema or a grammar for zagreus.wasm, and the vocabulary of a model")
    .requiredOption("-o, --out <file>", "where the bytes go")
    .addHelpText("after", EXAMPLES)
    .action(run);
}

const EXAMPLES = `
Examples:
  zagreus grammar --json-schema city.json -m nesso-instruct -o city.zga
  zagreus grammar --grammar list.gbnf -m model.gguf -o list.zga`;

async function run(flags: GrammarFlags, command: Command): Promise<void> {
  const format = await responseFormat(flags);
  if (!format) return command.error("error: give --json-schema or --grammar");
  const { model } = await loadModel(flags);
  const bytes = await model.compileGrammar(format);
  await writeFile(flags.out, bytes);
  if (flags.json) return printJson({ out: flags.out, bytes: bytes.length });
  print(`${flags.out}: ${bytes.length.toLocaleString("en")} bytes`);
}
