// The sampler against Hugging Face's logits processors, written down plainly: the same reachable tokens, in the same frequencies.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { INFO_VOCABULARY } from "../../assembly/layout/abi";
import { Core, NANO, type Sampling } from "../support/core";
import { tinyModel, uniform, writeGguf } from "../support/models/gguf_writer";
import { largest, logSumExp, softmax } from "../support/models/reference";
import { turn } from "../support/turn";
import { VARIANTS } from "../support/variants";

const DRAWS = 4000;
const HISTORY = [10, 11, 12, 10, 11, 13, 40, 10, 11];

/** generate()'s order: bias, repetition penalty, (other penalties,) no-repeat-ngram, prefix_allowed_tokens_fn, temperature, top-k, top-p, min-p. Returns probabilities. */
function huggingFace(logits: ArrayLike<number>, history: number[], options: Sampling): number[] {
  const scores = Array.from(logits);
  for (const [token, bias] of options.logitBias ?? []) scores[token]! += bias;
  const penalty = options.repetitionPenalty ?? 1;
  for (const token of new Set(history)) scores[token]! *= scores[token]! < 0 ? penalty : 1 / penalty;
  for (const [token, lost] of options.penalties ?? []) scores[token]! -= lost;
  const size = options.noRepeatNgram ?? 0;
  if (size > 0) {
    const last = history.slice(history.length - (size - 1), history.length).join();
    for (let i = 0; i + size <= history.length; i++) {
      if (history.slice(i, i + size - 1).join() === last) scores[history[i + size - 1]!] = Number.NEGATIVE_INFINITY;
    }
  }
  if (options.allowed) {
    const { allowed } = options;
    scores.forEach((_, token) => {
      if (!allowed.includes(token)) scores[token] = Number.NEGATIVE_INFINITY;
    });
  }
  const { temperature = 0, topK = 0, topP = 1, minP = 0 } = options;
  if (temperature === 0) return scores.map((_, token) => (token === largest(scores, 1)[0] ? 1 : 0));
  scores.forEach((score, token) => {
    scores[token] = score / temperature;
  });
  const drop = (keep: (token: number) => boolean) => {
    scores.forEach((_, token) => {
      if (!keep(token)) scores[token] = Number.NEGATIVE_INFINITY;
    });
  };
  if (topK > 0) {
    const least = scores[largest(scores, topK).at(-1)!]!;
    drop((token) => scores[token]! >= least);
  }
  if (topP < 1) {
    const probabilities = softmax(scores);
    let before = 0;
    const kept = new Set<number>();
    for (const token of largest(scores, scores.length)) {
      if (before >= topP && kept.size > 0) break;
      kept.add(token);
      before += probabilities[token]!;
    }
    drop((token) => kept.has(token));
  }
  if (minP > 0) {
    const probabilities = softmax(scores);
    const most = Math.max(...probabilities);
    drop((token) => probabilities[token]! >= minP * most);
  }
  return softmax(scores);
}

const CASES: [string, Sampling][] = [
  ["plain", { temperature: 1 }],
  ["cold", { temperature: 0.5 }],
  ["hot", { temperature: 1.7 }],
  ["top-k 1", { temperature: 1, topK: 1 }],
  ["top-k 5", { temperature: 1, topK: 5 }],
  ["top-k 40", { temperature: 1.2, topK: 40 }],
  ["top-k above the vocabulary", { temperature: 1, topK: 100_000 }],
  ["top-p 0.01", { temperature: 1, topP: 0.01 }],
  ["top-p 0.5", { temperature: 1, topP: 0.5 }],
  ["top-p 0.9", { temperature: 0.8, topP: 0.9 }],
  ["top-p 0.999", { temperature: 1, topP: 0.999 }],
  ["min-p 0.05", { temperature: 1, minP: 0.05 }],
  ["min-p 0.3", { temperature: 1.5, minP: 0.3 }],
  ["min-p 1", { temperature: 1, minP: 1 }],
  ["top-k, then top-p of what it left", { temperature: 1, topK: 12, topP: 0.7 }],
  ["top-k, top-p, min-p", { temperature: 1.3, topK: 50, topP: 0.95, minP: 0.1 }],
  ["repetition penalty 1.5", { temperature: 1, repetitionPenalty: 1.5 }],
  ["repetition penalty 0.7", { temperature: 1, repetitionPenalty: 0.7, topK: 20 }],
  ["no repeated token", { temperature: 1, noRepeatNgram: 1 }],
  ["no repeated pair", { temperature: 1, noRepeatNgram: 2, topK: 30 }],
  ["no repeated triple", { temperature: 1, noRepeatNgram: 3, topK: 30 }],
  ["n-grams longer than the history", { temperature: 1, noRepeatNgram: 50, topK: 30 }],
  [
    "logit bias",
    {
      temperature: 1,
      topK: 10,
      logitBias: new Map([
        [3, 4],
        [10, 6],
        [12, Number.NEGATIVE_INFINITY],
        [200, -3],
      ]),
    },
  ],
  [
    "penalties",
    {
      temperature: 1,
      topK: 10,
      repetitionPenalty: 1.3,
      penalties: new Map([
        [10, 2.5],
        [11, 1e30],
        [200, -6],
        [263, 0.25],
      ]),
    },
  ],
  ["some tokens allowed", { temperature: 1, allowed: [0, 3, 8, 10, 11, 40, 200, 262] }],
  ["one token allowed", { temperature: 1, allowed: [263] }],
  ["allowed tokens, then top-k of them", { temperature: 1, topK: 3, allowed: [1, 2, 5, 7, 9, 12, 63, 64, 65, 255] }],
  [
    "everything",
    {
      temperature: 0.9,
      topK: 30,
      topP: 0.9,
      minP: 0.02,
      repetitionPenalty: 1.2,
      noRepeatNgram: 3,
      logitBias: new Map([[12, 8]]),
      allowed: Array.from({ length: 200 }, (_, i) => i),
    },
  ],
];

describe.each(VARIANTS)("sampler: $name", (variant) => {
  const core = new Core(variant).open(writeGguf(tinyModel({ layers: 1 })).bytes);
  const vocabulary = core.info(INFO_VOCABULARY);
  const random = uniform(5);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const logits = Float32Array.from({ length: vocabulary }, () => 2 * normal());
  // What the history holds shall matter.
  for (const [i, token] of [10, 11, 12, 13, 40].entries()) logits[token] = 4 - i / 2;
  logits[40] = -0.5;

  core.prefill(HISTORY);
  const address = core.exports.logits(HISTORY.length - 1, 1);
  const draw = (row: Float32Array) => {
    core.floats(address, row.length).set(row);
    return core.exports.sample(0);
  };

  it.each(CASES)("%s", (_, options) => {
    const probabilities = huggingFace(logits, HISTORY, options);
    core.sampling(options);
    const counts = new Array<number>(vocabulary).fill(0);
    for (let i = 0; i < DRAWS; i++) {
      // One half draws the first number of many seeds, the other many numbers of one seed.
      if (i <= DRAWS / 2) core.exports.seed(0, BigInt(i));
      core.penalties(options.penalties); // they lie where sample() sorts
      const token = draw(logits);
      counts[token] = counts[token]! + 1;
    }
    const unreachable = counts.flatMap((count, token) => (count > 0 && probabilities[token] === 0 ? [token] : []));
    expect(unreachable).toEqual([]);
    const missed = probabilities.flatMap((p, token) => (p * DRAWS > 20 && counts[token] === 0 ? [token] : []));
    expect(missed).toEqual([]);

    // Pearson's chi-square; tokens expected fewer than five times count as one.
    const bins = [{ seen: 0, expected: 0 }];
    probabilities.forEach((p, token) => {
      if (p * DRAWS >= 5) bins.push({ seen: counts[token]!, expected: p * DRAWS });
      else bins[0] = { seen: bins[0]!.seen + counts[token]!, expected: bins[0]!.expected + p * DRAWS };
    });
    const used = bins.filter(({ expected }) => expected > 1e-9);
    const chi = used.reduce((sum, { seen, expected }) => sum + (seen - expected) ** 2 / expected, 0);
    const freedom = used.length - 1;
    expect(chi, `${freedom} degrees of freedom`).toBeLessThanOrEqual(freedom + 5 * Math.sqrt(2 * freedom) + 1e-6);
  });

  it("takes the largest logit when the temperature is 0, of equal ones the first", () => {
    core.sampling();
    expect(draw(logits)).toBe(largest(logits, 1)[0]);
    const equal = logits.slice();
    for (const token of [264, 131, 77, 78]) equal[token] = 50;
    expect(draw(equal)).toBe(77);
    expect(draw(new Float32Array(vocabulary))).toBe(0);
    expect(draw(new Float32Array(vocabulary).fill(-3))).toBe(0);
  });

  it("takes bias, penalty and n-grams into account when greedy", () => {
    const greedy = (options: Sampling) => {
      core.sampling(options);
      expect(draw(logits)).toBe(huggingFace(logits, HISTORY, options).indexOf(1));
    };
    greedy({ repetitionPenalty: 3 });
    greedy({ repetitionPenalty: 0.1 });
    greedy({ noRepeatNgram: 1 });
    greedy({ noRepeatNgram: 3 });
    greedy({ logitBias: new Map([[5, 30]]) });
    greedy({ logitBias: new Map([[10, Number.NEGATIVE_INFINITY]]) });
    greedy({ allowed: [4, 77, 201] });
  });

  it("takes one of the allowed tokens even when all of them are banned or none has a finite logit", () => {
    const allowed = [5, 6, 264];
    const logitBias = new Map(allowed.map((token) => [token, Number.NEGATIVE_INFINITY] as const));
    for (const temperature of [0, 1]) {
      core.sampling({ temperature, allowed, logitBias });
      expect(allowed).toContain(draw(logits));
      core.sampling({ temperature, allowed });
      for (const value of [Number.NEGATIVE_INFINITY, Number.NaN]) {
        expect(allowed).toContain(draw(new Float32Array(vocabulary).fill(value)));
      }
    }
    core.sampling({ allowed, logitBias: new Map([[5, Number.NEGATIVE_INFINITY]]) });
    expect(draw(new Float32Array(vocabulary))).toBe(6);
  });

  it("draws one of the k likeliest, whatever the logits and the temperature", () => {
    const row = fc.record({
      quarters: fc.array(fc.integer({ min: -40, max: 40 }), { minLength: vocabulary, maxLength: vocabulary }),
      scale: fc.constantFrom(0.001, 0.25, 8, 1000),
      offset: fc.constantFrom(0, -50, 1e4),
    });
    fc.assert(
      fc.property(
        row,
        fc.integer({ min: 1, max: vocabulary + 1 }),
        fc.constantFrom(0.01, 0.7, 2, 100),
        fc.bigInt({ min: 0n, max: 2n ** 32n }),
        ({ quarters, scale, offset }, topK, temperature, seed) => {
          const values = Float32Array.from(quarters, (quarter) => quarter * scale + offset);
          const kth = values.toSorted().at(-Math.min(topK, vocabulary))!;
          core.sampling({ temperature, topK });
          core.exports.seed(0, seed);
          const token = draw(values);
          // Logits whose weights round to one f32 are equal.
          expect(values[token]! - kth).toBeGreaterThanOrEqual(-1e-6 * temperature);
          expect(core.floats(address, vocabulary)[token]).toBeGreaterThan(0);
        },
      ),
    );
  });

  it("keeps all that tie with the k-th, as Hugging Face does", () => {
    const equal = new Float32Array(vocabulary).fill(-9);
    for (const token of [5, 50, 150, 250]) equal[token] = 3;
    core.sampling({ temperature: 1, topK: 2 });
    const seen = new Set<number>();
    for (let i = 0; i < 300; i++) {
      core.exports.seed(0, BigInt(i));
      seen.add(draw(equal));
    }
    expect([...seen].sort((a, b) => a - b)).toEqual([5, 50, 150, 250]);
  });

  it("repeats itself with the same seed only", () => {
    core.sampling({ temperature: 2 });
    const run = (seed: bigint) => {
      core.exports.seed(0, seed);
      return Array.from({ length: 40 }, () => draw(logits)).join();
    };
    const seeds = [0n, 1n, 2n, 42n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n];
    const runs = seeds.map(run);
    expect(new Set(runs).size).toBe(seeds.length);
    expect(seeds.map(run)).toEqual(runs);
  });

  it("returns some token when all are banned, or no logit is finite", () => {
    const valid = (token: number) => expect(token >= 0 && token < vocabulary).toBe(true);
    for (const temperature of [0, 1]) {
      for (const value of [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN, 3e38, -3e38]) {
        for (const filter of [{}, { topK: 3 }, { topP: 0.5 }, { minP: 0.5 }]) {
          core.sampling({ temperature, ...filter });
          valid(draw(new Float32Array(vocabulary).fill(value)));
        }
      }
    }
  });

  it("finds the border of top-p among thousands of similar logits", async () => {
    const nano = new Core(variant).open(NANO.Q4_0());
    const many = Float32Array.from({ length: nano.info(INFO_VOCABULARY) }, () => 0.7 * normal());
    nano.prefill([1]);
    const row = nano.exports.logits(0, 1);
    for (const topP of [0.3, 0.9]) {
      nano.sampling({ temperature: 1, topP });
      nano.exports.seed(0, 9n);
      const order = largest(many, many.length);
      const rank = new Map(order.map((token, i) => [token, i]));
      const size = huggingFace(many, [], { temperature: 1, topP }).filter((p) => p > 0).length;
      let last = 0;
      for (let i = 0; i < 30_000; i++) {
        if (i % 1000 === 0) await turn();
        nano.floats(row, many.length).set(many);
        last = Math.max(last, rank.get(nano.exports.sample(0))!);
      }
      // Rounding may move the border by a token or two; the last ranks are rare, so some may not have been drawn.
      expect(last).toBeLessThanOrEqual(size + 1);
      expect(last).toBeGreaterThan(0.99 * size);
    }
  });

  it("top() and logSumExp() agree with a plain sort and sum", () => {
    const rounded = logits.map((x) => Math.round(x * 4) / 4);
    core.floats(address, vocabulary).set(rounded);
    for (const k of [1, 2, 20, 256]) {
      const found = core.exports.top(0, k);
      const ids = Array.from(core.words(found, 2 * k).filter((_, i) => i % 2 === 0));
      expect(ids).toEqual(largest(rounded, k));
      expect(core.floats(found, 2 * k)[1]).toBe(rounded[ids[0]!]);
    }
    expect(core.exports.logSumExp(0)).toBeCloseTo(logSumExp(rounded), 5);
  });
});
