// `zagreus split`: cuts a model into pieces beside a manifest.

import { basename, join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { bundledModel } from "../../../index.js";
import { split } from "../../../split.js";
import { interruptSignal, print, printJson } from "../../shared/output.js";
import { progressBar } from "../../shared/progress.js";

interface SplitFlags {
  out: string;
  piece: number;
  json?: boolean;
}

export function splitCommand(): Command {
  return new Command("split")
    .description("cut a model into pieces beside a manifest, for hosts that limit the size of a file")
    .argument("[model]", "as for --model of other commands (default: the bundled zagreus-nano)")
    .requiredOption("-o, --out <directory>", "where pieces and manifest.json go")
    .option("--piece <size>", "bytes of a piece; K and M are 2^10 and 2^20", size, size("25M"))
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExamples:\n  zagreus split model.gguf -o public/model --piece 25M")
    .action(run);
}

/** "25M" */
export function size(text: string): number {
  const [, digits, unit] = /^(\d{1,9})([KM]?)$/.exec(text) ?? [];
  const bytes = Number(digits) * (unit === "M" ? 2 ** 20 : unit === "K" ? 2 ** 10 : 1);
  if (!(bytes > 0)) throw new InvalidArgumentError("It must be a number of bytes, as 25M, 512K or 1000000.");
  return bytes;
}

async function run(model: string | undefined, { out, piece, json }: SplitFlags): Promise<void> {
  const bar = progressBar("splitting");
  try {
    const name = basename(model ?? bundledModel.pathname).replace(/[^\w.-]/g, "_");
    const manifest = await split(model ?? bundledModel, out, {
      pieceBytes: piece,
      name,
      signal: interruptSignal(),
      onProgress: bar.update,
    });
    bar.stop();
    const path = join(out, "manifest.json");
    if (json) return printJson({ manifest: path, ...manifest });
    print(`${path}: ${manifest.pieces.length} pieces, ${manifest.bytes.toLocaleString("en-US")} bytes`);
  } finally {
    bar.stop();
  }
}
