// `zagreus verify`: whether completions are what their receipts say.

import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { printableJson } from "../../../core/api/printable.js";
import { parseReceipt, type Receipt, type Verdict, verify } from "../../../core/receipt/index.js";
import { badFile } from "../shared/json_file.js";
import { loadModel, type ModelFlags, withModel } from "../shared/model.js";
import { print, printJson } from "../shared/output.js";

const DIFFERENT = 1;

export function verifyCommand(): Command {
  return withModel(new Command("verify"))
    .description("make the completions of receipts again, and say whether they are the same")
    .argument("<file>", "what --receipt wrote, or the server's receipts, one a line")
    .addHelpText("after", EXAMPLES)
    .action(run);
}

const EXAMPLES = `
The model must be loaded as the receipt's was; --kv and --context come from the first receipt. Exit code 1: not the same.

Examples:
  zagreus complete "C'era una volta" -m nesso-instruct --receipt receipt.json
  zagreus verify receipt.json -m nesso-instruct -t 1`;

async function run(file: string, flags: ModelFlags): Promise<void> {
  const receipts = await readReceipts(file);
  const [{ kvType: kv, contextLength: context }] = receipts as [Receipt];
  const { model } = await loadModel({ kv, context, ...flags });
  const verdicts: Verdict[] = [];
  for (const receipt of receipts) {
    const verdict = await verify(model, receipt);
    verdicts.push(verdict);
    if (!flags.json) print(sentence(receipt, verdict));
  }
  if (flags.json) printJson({ equal: verdicts.every(({ equal }) => equal), verdicts });
  if (!verdicts.every(({ equal }) => equal)) process.exitCode = DIFFERENT;
}

async function readReceipts(file: string): Promise<Receipt[]> {
  const text = await readFile(file, "utf8");
  const parse = (json: string) => {
    try {
      return JSON.parse(json) as unknown;
    } catch (cause) {
      throw badFile(file, `is no JSON: ${cause instanceof Error ? cause.message : cause}`, cause);
    }
  };
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (lines.length === 0) throw badFile(file, "has no receipt");
  const isLines = lines.every((line) => line.startsWith("{") && line.trimEnd().endsWith("}"));
  return (isLines ? lines : [text]).map(parse).map(parseReceipt);
}

function sentence({ tokens, logits }: Receipt, verdict: Verdict): string {
  if (verdict.equal) return `equal: ${tokens.length} tokens, logits ${logits}`;
  const { field, index, expected, actual } = verdict;
  const place = index === undefined ? field : `token ${index}`;
  return `parts at ${place}: ${printableJson(String(expected))} in the receipt, ${printableJson(String(actual))} here`;
}
