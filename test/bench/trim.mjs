// What a smaller vocabulary brings and costs: size, memory, time of a token, and how much longer the package's held-out texts become.
//
//     node test/bench/trim.mjs [MODEL.gguf] [--keep it,en] [--rows 65536,49152,32768]
//
// Without a model the one of full size in test/.cache (test/support/models/fullsize.mjs makes it). Times are those of the processor, one thread, the
// models in turn, the best of ROUNDS: others may use the machine meanwhile.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { load } from "../../dist/index.js";
import { trim } from "../../dist/quantize.js";

const FULLSIZE = fileURLToPath(new URL("../.cache/fullsize-q4_0-4096-1.gguf", import.meta.url));
const ROUNDS = 14;
const TOKENS = 12;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { keep: { type: "string", default: "it,en" }, rows: { type: "string", default: "65536,49152,32768" } },
});
const whole = positionals[0] ?? FULLSIZE;
const languages = values.keep.split(",");

const directory = mkdtempSync(join(tmpdir(), "zagreus-trim-"));
try {
  const rows = [{ name: "whole", file: whole }];
  for (const tokens of values.rows.split(",").map(Number)) {
    for (const embedding of [undefined, "q8_0"]) {
      const file = join(directory, `${tokens}-${embedding}.gguf`);
      const report = await trim(whole, file, { languages, tokens, embedding, requantize: true });
      rows.push({ name: `${tokens}${embedding ? `, ${embedding}` : ""}`, file, report });
    }
  }
  const models = [];
  for (const { file } of rows) models.push(await load(file, { threads: 1, contextLength: 128 }));
  const best = models.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, model] of models.entries()) best[i] = Math.min(best[i], await decodeMs(model, round));
  }
  rows.forEach(({ name, report }, i) => {
    const texts =
      report?.texts.map((text) => `${text.name} +${(100 * (text.after / text.before - 1)).toFixed(2)} %`) ?? [];
    const arena = `${(models[i].info.plan.arena / 1e6).toFixed(0)} MB of memory`;
    const size = report
      ? `${(report.bytes / 1e6).toFixed(1)} MB, embedding ${(report.embeddingBytes.after / 1e6).toFixed(1)} MB`
      : "";
    console.log(
      [name, size, arena, `${best[i].toFixed(1)} ms`, `x${(best[0] / best[i]).toFixed(2)}`, ...texts].join(" | "),
    );
  });
  for (const model of models) model.close();
} finally {
  rmSync(directory, { recursive: true });
}

/** Milliseconds of the processor for a token. */
async function decodeMs(model, round) {
  const tokens = Array.from({ length: 4 }, (_, i) => 1000 + 37 * round + i);
  await model.logits(tokens);
  const begun = process.cpuUsage();
  for (let i = 0; i < TOKENS; i++) {
    tokens.push(2000 + 11 * i + round);
    await model.logits(tokens);
  }
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / 1000 / TOKENS;
}
