// `zagreus quantize`: makes a GGUF file of a checkpoint.

import { Command } from "commander";
import { QUANTIZED_TYPES, TENSOR_TYPES, type TensorType } from "../../../../../quant/checkpoint/types.js";
import { type QuantizedType, quantize } from "../../../quantize.js";
import { choice } from "../../shared/arguments.js";
import { readInput } from "../../shared/input.js";
import { interruptSignal, notice, print, printJson } from "../../shared/output.js";
import { phaseBar } from "../../shared/progress.js";
import { type KeepFlags, keepOptions, keptLines, withKeep } from "./keep.js";

interface QuantizeFlags extends KeepFlags {
  type: QuantizedType;
  out: string;
  embedding?: QuantizedType;
  requantize?: boolean;
  calibrate?: string | true;
  tokenizer?: string;
  name?: string;
  json?: boolean;
}

export function quantizeCommand(): Command {
  const command = new Command("quantize")
    .description("make a GGUF file, for zagreus and llama.cpp, from a published checkpoint")
    .argument(
      "<in>",
      "Hugging Face directory, safetensors file in one, nanotron checkpoint, GGUF file, or hf:OWNER/REPO",
    )
    .addOption(choice("-t, --type <type>", "type of the matrices", QUANTIZED_TYPES).makeOptionMandatory())
    .requiredOption("-o, --out <file>", "GGUF file to write; it appears, or is replaced, when it is complete")
    .addOption(
      choice(
        "--embedding <type>",
        "type of the embedding and the LM head (default: that of --type; with --keep q8_0 where it is smaller then)",
        QUANTIZED_TYPES,
      ),
    );
  return withKeep(command)
    .option("--requantize", "also round what was rounded before, which loses twice")
    .option("--calibrate [file]", "choose int4 by what a text needs (default: one that comes along); slow")
    .option("--tokenizer <path>", "directory of tokenizer.json (default: the model's); a GGUF file has its own")
    .option("--name <name>", "general.name of the new file (default: the directory's, or what a GGUF file says)")
    .option("--json", "print one JSON object")
    .addHelpText("after", types() + EXAMPLES)
    .action(run);
}

/** The types, each with the bits that a weight takes. */
function types(): string {
  const named = (is: (row: TensorType) => boolean) =>
    TENSOR_TYPES.filter(is)
      .map(({ name, bits }) => `${name} (${bits})`)
      .join(", ");
  return `
Types of tensors (bits a weight), all of which run:
  read               ${named(({ isRounded }) => !isRounded)}
  with --requantize  ${named(({ isRounded }) => isRounded)}
  written            ${named(({ written }) => written !== undefined)}
`;
}

const EXAMPLES = `
Examples:
  zagreus quantize nesso-instruct -t q4_0 -o nesso-instruct-Q4_0.gguf
  zagreus quantize model/ -t q4_0 --embedding q8_0 -o model-mixed.gguf`;

async function run(source: string, flags: QuantizeFlags): Promise<void> {
  const { out, json, calibrate, keep, corpus, tokens, code, ...options } = flags;
  const bar = phaseBar();
  try {
    const report = await quantize(source, out, {
      ...options,
      keep: keepOptions({ keep, corpus, tokens, code }),
      calibrate: typeof calibrate === "string" ? await readInput(calibrate) : calibrate,
      signal: interruptSignal(),
      onProgress({ phase, doneBytes, totalBytes }) {
        if (phase === "quantize" && calibrate) return; // its pace is that of calibration
        bar.update({ phase, loadedBytes: doneBytes, totalBytes });
      },
      onNotice: notice,
    });
    bar.stop();
    if (json) return printJson({ out, ...report });
    const { bytes, tensors, meanSquaredError, tokens: counts, texts } = report;
    print(
      `${out}: ${tensors} tensors, ${(bytes / 1e6).toFixed(1)} MB, mean squared error ${meanSquaredError.toExponential(3)}`,
    );
    if (counts && texts) for (const line of keptLines({ tokens: counts, texts })) print(line);
  } finally {
    bar.stop();
  }
}
