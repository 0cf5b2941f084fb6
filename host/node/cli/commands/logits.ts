// `zagreus logits`: the logits after a list of tokens, and their SHA-256.

import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { Command } from "commander";
import { printableJson } from "../../../core/api/printable.js";
import type { LogitsOptions, Model } from "../../index.js";
import { withAdapters, withoutName } from "../shared/adapters/lora.js";
import { integer, tokenList } from "../shared/arguments.js";
import { loadModel, type ModelFlags, withModel } from "../shared/model.js";
import { print, printJson } from "../shared/output.js";

interface LogitsFlags extends ModelFlags {
  tokens: number[];
  top: number;
  all?: boolean;
  out?: string;
}

export function logitsCommand(): Command {
  return withAdapters(withModel(new Command("logits")))
    .description("show the logits after a list of tokens")
    .requiredOption("--tokens <ids>", "token ids: 1,2,3", tokenList)
    .option("--top <k>", "how many of the largest to show", integer(0), 20)
    .option("--all", "write the logits after every token to --out")
    .option("--out <file>", "float32 little-endian, tokens x vocabulary")
    .addHelpText("after", "\nExamples:\n  zagreus logits --tokens 1,2,3 --top 5 --json")
    .action(run);
}

async function run(flags: LogitsFlags, command: Command): Promise<void> {
  if (flags.all !== (flags.out !== undefined || undefined)) command.error("error: --all and --out belong together");
  const { model, adapters, signal } = await loadModel(flags);
  const options = { adapters: adapters?.map(withoutName), signal };
  const last = flags.out
    ? await writeAll(model, flags.tokens, flags.out, options)
    : await model.logits(flags.tokens, options);
  const top = largest(last, flags.top);
  const sha256 = createHash("sha256").update(littleEndian(last)).digest("hex");
  if (flags.json) return printJson({ top, sha256 });
  for (const { id, logit } of top)
    print(`${id}\t${logit}\t${printableJson(model.detokenize([id], { special: true, continues: true }))}`);
  print(`sha256\t${sha256}`);
}

/** Writes a row for every token as it is computed; returns the last one. */
async function writeAll(
  model: Model,
  tokens: number[],
  path: string,
  options: Omit<LogitsOptions, "all">,
): Promise<Float32Array> {
  let file: FileHandle | undefined;
  let last = new Float32Array();
  try {
    for await (const row of model.logits(tokens, { ...options, all: true })) {
      file ??= await open(path, "w");
      await file.writeFile(littleEndian(row));
      last = row as Float32Array<ArrayBuffer>;
    }
  } finally {
    await file?.close();
  }
  return last;
}

/** The k largest, ties by the smaller id. */
function largest(logits: Float32Array, k: number): { id: number; logit: number }[] {
  const ids = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]! || a - b);
  return ids.slice(0, k).map((id) => ({ id, logit: logits[id]! }));
}

function littleEndian(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    view.setFloat32(4 * i, value, true);
  });
  return bytes;
}
