// `zagreus tokenize`: the token ids of a text.

import { Command } from "commander";
import { printableJson } from "../../../core/api/printable.js";
import { ZagreusError } from "../../index.js";
import { hasStandardInput, readInput } from "../shared/input.js";
import { loadModel, type ModelFlags, withModel } from "../shared/model.js";
import { notice, print, printJson } from "../shared/output.js";

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
  const options = { special: flags.special, bos: flags.bos ? undefined : false };
  const tokens = model.tokenize(input, options);
  const dropped = droppedBytes(() => model.tokenize(input, { ...options, strict: true }));
  if (flags.json) return printJson({ tokens, ...(dropped > 0 && { dropped }) });
  for (const token of tokens) {
    print(`${token}\t${printableJson(model.detokenize([token], { special: true, continues: true }))}`);
  }
  if (dropped > 0) notice(`${dropped} bytes of the text have no token and are left out`);
}

/** How many bytes a text has for which there is no token. */
function droppedBytes(tokenizeStrictly: () => void): number {
  try {
    tokenizeStrictly();
    return 0;
  } catch (error) {
    if (error instanceof ZagreusError && error.field === "text") return Number(error.value);
    throw error;
  }
}
