// `zagreus trim`: a model with a smaller vocabulary.

import { Command } from "commander";
import { QUANTIZED_TYPES } from "../../../../../quant/checkpoint/types.js";
import { type Source, ZagreusError } from "../../../index.js";
import { type QuantizedType, trim } from "../../../quantize.js";
import { choice } from "../../shared/arguments.js";
import { openModel } from "../../shared/model.js";
import { interruptSignal, notice, print, printJson } from "../../shared/output.js";
import { phaseBar } from "../../shared/progress.js";
import { type KeepFlags, keepOptions, keptLines, withKeep } from "./keep.js";

interface TrimFlags extends KeepFlags {
  out: string;
  embedding?: QuantizedType;
  requantize?: boolean;
  json?: boolean;
}

export function trimCommand(): Command {
  const command = new Command("trim")
    .description("make a GGUF file smaller by the tokens that texts of some languages do not need")
    .argument("[model]", "as for --model of other commands, but no URL (default: the bundled zagreus-nano)")
    .requiredOption("-o, --out <file>", "GGUF file to write; it appears, or is replaced, when it is complete");
  return withKeep(command)
    .addOption(
      choice("--embedding <type>", "type of the embedding and the LM head (default: as they are)", QUANTIZED_TYPES),
    )
    .option("--requantize", "also round an embedding that was rounded before, which loses twice")
    .option("--json", "print one JSON object")
    .addHelpText("after", EXAMPLES)
    .action(run);
}

const EXAMPLES = `
Every text still becomes tokens, some words become more of them: the report says how much longer texts get that had no part in the choice.
The logits of the tokens that stay are the whole model's, bit for bit.

Examples:
  zagreus trim zagreus-ita --keep it,en -o zagreus-ita-small.gguf
  zagreus trim model.gguf --keep it --corpus notes.txt mails.txt --tokens 32768 -o small.gguf`;

async function run(model: string | undefined, { out, json, embedding, requantize, ...keep }: TrimFlags): Promise<void> {
  const signal = interruptSignal();
  const bar = phaseBar();
  try {
    const source = await openModel({ model }, { signal, onProgress: bar.update });
    const report = await trim(localFile(source), out, {
      ...keepOptions(keep),
      embedding,
      requantize,
      signal,
      onNotice: notice,
      onProgress: ({ phase, doneBytes, totalBytes }) => bar.update({ phase, loadedBytes: doneBytes, totalBytes }),
    });
    bar.stop();
    if (json) return printJson({ out, ...report });
    const { bytes, embeddingBytes } = report;
    const megabytes = (size: number) => (size / 1e6).toFixed(1);
    const { before, after } = embeddingBytes;
    print(`${out}: ${megabytes(bytes)} MB; embedding ${megabytes(before)} -> ${megabytes(after)} MB`);
    for (const line of keptLines(report)) print(line);
  } finally {
    bar.stop();
  }
}

/** @throws ZagreusError INVALID_OPTION for what is on the network */
function localFile(source: Source): string | URL {
  const place = typeof source === "string" ? source : source instanceof URL ? source.href : "";
  if (/^(https?|data|blob):/i.test(place)) {
    const message = `model is "${place}", must be a file, or a model of the hub: download it first`;
    throw new ZagreusError("INVALID_OPTION", message, { field: "model", value: place });
  }
  return source instanceof URL || !/^file:/i.test(place) ? (source as string | URL) : new URL(place);
}
