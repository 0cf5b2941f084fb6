// The same answers as llama.cpp on the same files (test/fixtures/README.md says how those were made).

import { describe, expect, it } from "vitest";
import { KV_F16, KV_F32, KV_INT4, KV_INT8 } from "../../assembly/layout/abi";
import { Core, fixture, heldText, NANO, type NanoType } from "../support/core";
import { divergence, largest } from "../support/models/reference";
import { turn } from "../support/turn";
import { BASELINE, VARIANTS } from "../support/variants";

interface Case {
  prompt: string;
  tokens: number[];
  logits: string;
  greedy: number[];
  greedyGap: number[];
}

/** Two logits of llama.cpp closer than this may change places: its own activations are rounded to int8. */
const CLOSE = 0.15;
const TYPES = Object.keys(NANO) as NanoType[];
const MODES = [
  { kv: "f32", kvType: KV_F32, close: CLOSE, bound: 1e-3 },
  { kv: "f16", kvType: KV_F16, close: CLOSE, bound: 1e-3 },
  { kv: "int8", kvType: KV_INT8, close: CLOSE, bound: 3e-3 },
  { kv: "int4", kvType: KV_INT4, close: 0.6, bound: 3e-2 },
];

const golden = (type: NanoType): { vocab: number; cases: Case[] } =>
  JSON.parse(fixture(`fixtures/golden/nano-${type}.json`).toString());

function goldenLogits({ logits, tokens }: Case, vocabulary: number): Float32Array[] {
  const bytes = fixture(`fixtures/golden/${logits}`);
  const all = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  return tokens.map((_, i) => all.subarray(i * vocabulary, (i + 1) * vocabulary));
}

describe.each(VARIANTS)("golden: $name", (variant) => {
  describe.each(TYPES)("zagreus-nano %s", (type) => {
    const { vocab, cases } = golden(type);

    it("tokenizes the prompts alike", () => {
      const core = new Core(variant).open(NANO[type]());
      for (const { prompt, tokens } of cases) expect(core.encode(prompt)).toEqual(tokens.slice(1));
    });

    it.each(MODES)("has llama.cpp's distributions, $kv KV", async ({ kv, kvType, close, bound }) => {
      const core = new Core(variant).open(NANO[type](), { kvType });
      const means: number[] = []; // of each case
      const flipped: string[] = [];
      for (const [index, item] of cases.entries()) {
        const theirs = goldenLogits(item, vocab);
        const ours = core.logits(item.tokens);
        means.push(theirs.reduce((sum, row, position) => sum + divergence(row, ours[position]!), 0) / theirs.length);
        theirs.forEach((row, position) => {
          const [first, second] = largest(row, 2) as [number, number];
          if (row[first]! - row[second]! > close && largest(ours[position]!, 1)[0] !== first) {
            flipped.push(`case ${index} position ${position}`);
          }
        });
        await turn();
      }
      console.log(
        `${variant.name} ${type} KV ${kv}: mean KL of the cases ${means.map((kl) => kl.toExponential(1)).join(", ")}`,
      );
      expect(flipped).toEqual([]);
      for (const mean of means) expect(mean).toBeLessThanOrEqual(bound);
    });

    it("continues greedily alike, as far as the gaps tell", async () => {
      const core = new Core(variant).open(NANO[type]());
      const reached: string[] = [];
      for (const item of cases) {
        core.sampling();
        core.prefill(item.tokens);
        let row = (item.tokens.length - 1) % 64;
        let same = 0;
        let running = true;
        item.greedy.forEach((token, step) => {
          const ours = core.next(row);
          if (item.greedyGap[step]! > CLOSE) expect(ours, `step ${step} after ${item.prompt}`).toBe(token);
          running &&= ours === token;
          if (running) same++;
          // The golden token goes on, so that steps after a close one still say something.
          core.prefill([token], item.tokens.length + step);
          row = 0;
        });
        const close = item.greedyGap.findIndex((gap) => gap <= CLOSE);
        reached.push(`${same} (first close gap at ${close})`);
        await turn();
      }
      console.log(`${variant.name} ${type}: greedy tokens the same, of 24: ${reached.join(", ")}`);
    });

    // Every build has the same logits (identity.test.ts), and this takes long.
    it.runIf(BASELINE.includes(variant))("has llama.cpp's perplexity within 0.5 %", async () => {
      const { texts } = JSON.parse(fixture("fixtures/golden/perplexity.json").toString());
      const core = new Core(variant).open(NANO[type]());
      for (const language of ["ita", "eng"] as const) {
        const theirs = texts[`text/held-${language}.txt`][type];
        const { perplexity, tokens } = await core.perplexity(heldText(language), 512);
        console.log(
          `${variant.name} ${type} ${language}: perplexity ${perplexity.toFixed(4)}, llama.cpp ${theirs}, ` +
            `${(100 * (perplexity / theirs - 1)).toFixed(3)} %, ${tokens} tokens`,
        );
        expect(Math.abs(perplexity / theirs - 1)).toBeLessThanOrEqual(0.005);
      }
    });
  });
});
