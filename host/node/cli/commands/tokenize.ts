// `zagreus tokenize`: the token ids of a text.

import { Command } from "commander";
import { printableJson } from "../../../core/api/printable.js";
import { hasStandardInput, readInput } from "../shared/input.js";
import { loadModel, type ModelFlags, withModel } from "../shared/model.js";
import { print, printJson } from "../shared/output.js";

interface TokenizeFlags extends ModelFlags {
  file?: string;
  special?: boolean;
  bos: boolean;
}

export function tokenizeCommand(): Command {
  return withModel(new Command("tokenize"))
    .description("show the token ids of a text")
    .argument("[text]", "text (default: standard input)")
    .option("-f, --file <file>", "read the text from a file, - for standard input")
    .option("--special", 'special tokens in the text, such as "<|im_start|>", become their ids')
    .option("--no-bos", "do not put bos first")
    .addHelpText("after", '\nExamples:\n  zagreus tokenize "Ciao, mondo"\n  zagreus tokenize -f text.txt --json')
    .action(run);
}

async function run(text: string | undefined, flags: TokenizeFlags, command: Command): Promise<void> {
  if (text !== undefined && flags.file !== undefined) command.error("error: give TEXT or --file, not both");
  if (text === undefined && flags.file === undefined && !hasStandardInput()) command.error("error: no text");
  const input = text ?? (await readInput(flags.file ?? "-"));
  const { model } = await loadModel(flags);
  const tokens = model.tokenize(input, { special: flags.special, bos: flags.bos ? undefined : false });
  if (flags.json) return printJson({ tokens });
  for (const token of tokens) print(`${token}\t${printableJson(model.detokenize([token], { special: true }))}`);
}
