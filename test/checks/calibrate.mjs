// How much of plain int4's loss calibration closes: zagreus-nano, calibrated on text of its training novels, perplexity
// on novels it never saw. Run after `npm run build`; takes some minutes. Exit code 1 when a bound does not hold.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const LANGUAGES = ["ita", "eng"];
const work = mkdtempSync(join(tmpdir(), "zagreus-calibrate-"));

const zagreus = (...args) =>
  JSON.parse(
    execFileSync(process.execPath, [at("../../dist/cli.js"), ...args, "--json"], {
      stdio: ["ignore", "pipe", "ignore"],
    }),
  );
const quantize = (name, ...args) => {
  const out = join(work, `${name}.gguf`);
  const begun = performance.now();
  zagreus("quantize", at("../fixtures/zagreus-nano-hf"), "-o", out, ...args);
  return { out, seconds: (performance.now() - begun) / 1000 };
};
const perplexities = (file) =>
  LANGUAGES.map((language) => {
    const text = at(`../fixtures/text/held-${language}.txt`);
    return zagreus("perplexity", "-m", file, "-f", text, "--context", "512").perplexity;
  });

try {
  const text = join(work, "calibration.txt");
  writeFileSync(
    text,
    LANGUAGES.map((language) => readFileSync(at(`../fixtures/text/calibration-${language}.txt`))).join(""),
  );
  const best = perplexities(at("../fixtures/models/zagreus-nano-F16.gguf"));
  const files = {
    "Q4_0, plain": { ...quantize("plain", "-t", "q4_0"), least: Number.NEGATIVE_INFINITY },
    "Q4_0, calibrated": { ...quantize("text", "-t", "q4_0", "--calibrate", text), least: 0.6 },
    "Q4_0, calibrated on the built-in text": { ...quantize("builtin", "-t", "q4_0", "--calibrate"), least: 0.55 },
    "Q4_0, calibrated, embedding in Q8_0": {
      ...quantize("embedding", "-t", "q4_0", "--embedding", "q8_0", "--calibrate", text),
      least: 0.92,
    },
    Q8_0: { ...quantize("q8", "-t", "q8_0"), least: 0.98 },
  };
  const plain = perplexities(files["Q4_0, plain"].out);
  console.log(`F16: ${best.map((value) => value.toFixed(2)).join(" / ")}`);
  let failed = false;
  for (const [name, { out, seconds, least }] of Object.entries(files)) {
    const found = perplexities(out);
    const closed = found.reduce((sum, value, i) => sum + (plain[i] - value) / (plain[i] - best[i]), 0) / found.length;
    const holds = closed >= least;
    failed ||= !holds;
    const figures = found.map((value) => value.toFixed(2)).join(" / ");
    const size = (statSync(out).size / 1e6).toFixed(2);
    const verdict = holds ? "" : `, MISSES ${100 * least} %`;
    console.log(
      `${name}: ${figures}, ${(100 * closed).toFixed(1)} % closed${verdict}, ${size} MB, ${seconds.toFixed(0)} s`,
    );
  }
  process.exitCode = failed ? 1 : 0;
} finally {
  rmSync(work, { recursive: true });
}
