// `zagreus shard`: cuts a model into parts that each fit into an isolate.

import { basename, join } from "node:path";
import { Command } from "commander";
import { bundledModel, type KvType } from "../../../index.js";
import { refuseWorkers, writeWorkers } from "../../../shards/workers.js";
import { writeShards } from "../../../shards/write.js";
import { choice, integer } from "../../shared/arguments.js";
import { KV_TYPES } from "../../shared/model.js";
import { interruptSignal, print, printJson } from "../../shared/output.js";
import { progressBar } from "../../shared/progress.js";
import { size } from "./split.js";

declare const ZAGREUS_VERSION: string;

interface ShardFlags {
  out: string;
  target: "cloudflare";
  shards?: number;
  context: number;
  sequences: number;
  kv: KvType;
  budget: number;
  piece: number;
  json?: boolean;
}

export function shardCommand(): Command {
  return new Command("shard")
    .description("cut a model into an edge and shards of layers, each of which fits into an isolate")
    .argument("[model]", "as for --model of other commands (default: the bundled zagreus-nano)")
    .requiredOption("-o, --out <directory>", "where pieces, manifest.json, shards.json and workers/ go")
    .addOption(
      choice("--target <target>", "whose limits count: isolates of 128 MB, files of 25 MiB", ["cloudflare"]).default(
        "cloudflare",
      ),
    )
    .option("--shards <n>", "shards beside the edge (default: as few as fit)", integer(1))
    .option("--context <n>", "positions of a sequence", integer(1), 2048)
    .option("--sequences <n>", "sequences at once", integer(1), 4)
    .addOption(choice("--kv <type>", "type of the KV cache", KV_TYPES).default("int8"))
    .option("--budget <bytes>", "bytes of a part: memory, code, JavaScript (7 MB, the edge 15)", size, 110e6)
    .option("--piece <size>", "bytes of a piece at most; K and M are 2^10 and 2^20", size, size("25M"))
    .option("--json", "print one JSON object")
    .addHelpText("after", EXAMPLES)
    .action(run);
}

const EXAMPLES = `
Examples:
  zagreus shard zagreus-ita.gguf -o parts --context 2048 --sequences 4
  zagreus shard small.gguf -o parts --shards 2 --budget 100M
  npm install --prefix parts/workers && npm start --prefix parts/workers`;

async function run(model: string | undefined, flags: ShardFlags): Promise<void> {
  const { out, shards, context, sequences, kv, budget, piece, json } = flags;
  refuseWorkers(out);
  const bar = progressBar("cutting");
  try {
    const {
      manifest,
      shards: written,
      parts,
    } = await writeShards(model ?? bundledModel, out, {
      ...{ shards, contextLength: context, sequences, kvType: kv, budget, pieceBytes: piece },
      name: basename(model ?? bundledModel.pathname).replace(/[^\w.-]/g, "_"),
      signal: interruptSignal(),
      onProgress: bar.update,
    });
    const workers = await writeWorkers({ directory: out, manifest, shards: written }, ZAGREUS_VERSION);
    bar.stop();
    const path = join(out, "shards.json");
    const { pieces, bytes } = manifest;
    if (json) return printJson({ shards: path, workers, pieces: pieces.length, bytes, budget, parts });
    const figure = (bytes: number) => bytes.toLocaleString("en-US");
    for (const { layers, total } of parts) {
      const what = layers ? `layers ${layers[0]} to ${layers[1] - 1}` : "edge";
      print(`${what}: ${figure(total)} of ${figure(budget)} bytes`);
    }
    print(`${path}: ${parts.length} parts, ${pieces.length} pieces, ${figure(bytes)} bytes`);
    print(`${workers}: their Workers for Cloudflare; npm install and npm start there run them here`);
  } finally {
    bar.stop();
  }
}
