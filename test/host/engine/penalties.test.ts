// Frequency and presence penalties and DRY, against references written from their definitions.

import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Build, DryOptions, GenerateOptions, Model } from "zagreus-edge";
import { DryPenalties } from "../../../host/core/engine/penalties/dry";
import { caught, GREEDY, loadNano, PROMPT } from "../../support/nano";

const DRY = {
  multiplier: 0.8,
  base: 1.75,
  allowedLength: 2,
  penaltyLastN: 64,
  sequenceBreakers: ["\n", ":", '"', "*"],
};
type Dry = typeof DRY;
type TextOf = (token: number) => string;

/** The definition, read aloud: what every token loses whose like followed, earlier in the window, what the window ends with. */
function dryPenalties(sequence: readonly number[], dry: Dry, textOf: TextOf): Map<number, number> {
  const { multiplier, base, allowedLength, penaltyLastN, sequenceBreakers } = dry;
  const size = Math.min(penaltyLastN, sequence.length);
  const window = sequence.slice(sequence.length - size);
  const limit = behindBreakers(sequence, sequenceBreakers, textOf);
  const longest = new Map<number, number>();
  for (let next = 1; next < size; next++) {
    for (let n = allowedLength; n <= Math.min(next, limit); n++) {
      if (window.slice(next - n, next).join() !== window.slice(size - n).join()) continue;
      longest.set(window[next]!, Math.max(longest.get(window[next]!) ?? 0, n));
    }
  }
  const free = ([token]: [number, number]) => !sequenceBreakers.some((breaker) => textOf(token).includes(breaker));
  return new Map(
    [...longest].filter(free).map(([token, n]) => [token, multiplier * base ** (n - allowedLength)] as const),
  );
}

/** How many tokens stand behind the one in which the last breaker ends. */
function behindBreakers(sequence: readonly number[], breakers: readonly string[], textOf: TextOf): number {
  const owners = sequence.flatMap((token, i) => [...textOf(token)].map(() => i));
  const text = sequence.map(textOf).join("");
  const ends = breakers.flatMap((breaker) => {
    const at = text.lastIndexOf(breaker);
    return at < 0 ? [] : [owners[at + breaker.length - 1]!];
  });
  return sequence.length - 1 - Math.max(-1, ...ends);
}

const closeTo = (penalties: ReadonlyMap<number, number>) =>
  [...penalties].sort(([a], [b]) => a - b).map(([token, penalty]) => [token, expect.closeTo(penalty, 9)]);
const sorted = (penalties: Iterable<[number, number]>) => [...penalties].sort(([a], [b]) => a - b);

const TEXTS = ["a", "b", "ab", "x:", ":", "", "cab", "c"];
const textOfLetters = (token: number) => TEXTS[token]!;

test("DRY is its definition, for any text that grows, slides and grows", () => {
  const options = fc.record({
    multiplier: fc.constantFrom(0.8, 3),
    base: fc.constantFrom(1, 1.1, 1.75),
    allowedLength: fc.integer({ min: 0, max: 4 }),
    penaltyLastN: fc.integer({ min: 0, max: 40 }),
    sequenceBreakers: fc.subarray([":", "ba", "bca", "abab"]),
  });
  const tokens = fc.array(fc.integer({ min: 0, max: TEXTS.length - 1 }), { maxLength: 60 });
  const repeated = fc
    .tuple(tokens, tokens)
    .map(([a, b]) => [...a, ...b, ...a.slice(0, 9), ...b.slice(0, 9), ...a].slice(0, 80));
  fc.assert(
    fc.property(options, fc.oneof(tokens, repeated), fc.nat(30), (dry, sequence, dropped) => {
      const penalties = new DryPenalties(dry, textOfLetters);
      const check = (now: number[]) =>
        expect(sorted(penalties.of(now))).toEqual(closeTo(dryPenalties(now, dry, textOfLetters)));
      for (let length = 0; length <= sequence.length; length++) check(sequence.slice(0, length));
      penalties.restart();
      check(sequence.slice(dropped));
      check([...sequence.slice(dropped), 1, 2]);
    }),
    { numRuns: 300 },
  );
});

// tests/test-sampling.cpp of llama.cpp; its probabilities are these penalties of equal logits.
test.each<[sequence: number[], options: Partial<Dry>, penalties: [number, number][]]>([
  [[0, 1], { multiplier: 1, base: 1.1, penaltyLastN: 4 }, []],
  [[0, 1, 2, 0, 1], { multiplier: 1, base: 1.1, penaltyLastN: 5 }, [[2, 1]]],
  [[0, 1, 3, 4, 0, 1], { multiplier: 1, base: 1.1, penaltyLastN: 6, sequenceBreakers: ["x:"] }, []],
  [[0, 1, 2, 0, 1], { multiplier: 2, base: 1.1, penaltyLastN: 5 }, [[2, 2]]],
  [[0, 1, 2, 3, 4, 0, 1], { multiplier: 1, base: 1.1, allowedLength: 4, penaltyLastN: 7 }, []],
])("llama.cpp's case %#", (sequence, options, penalties) => {
  const dry = { ...DRY, sequenceBreakers: [], ...options };
  expect([...new DryPenalties(dry, textOfLetters).of(sequence)]).toEqual(penalties);
});

test("a repetition without end costs no time and no infinity", () => {
  const dry = { ...DRY, base: 100, multiplier: 100, penaltyLastN: 1_000_000 };
  const penalties = new DryPenalties(dry, () => "a");
  const [[token, penalty]] = [...penalties.of(new Array<number>(200_000).fill(7))] as [[number, number]];
  expect(token).toBe(7);
  expect(penalty).toBe(100 * 2 ** 127);
});

let model: Model;
let base: GenerateOptions;
beforeAll(async () => {
  model = await loadNano();
  const logitBias = new Map(model.info.tokenizer.end.map((token) => [token, Number.NEGATIVE_INFINITY]));
  base = { ...GREEDY, maxTokens: 48, logitBias };
});
afterAll(() => model.close());

const generate = async (options: GenerateOptions, of = model) => {
  const completion = of.complete(PROMPT, { ...base, ...options });
  await completion.text();
  return completion.tokens;
};

const CASES: [string, GenerateOptions][] = [
  ["frequency", { frequencyPenalty: 0.7 }],
  ["presence", { presencePenalty: 1.5 }],
  ["negative ones", { frequencyPenalty: -0.3, presencePenalty: -0.5 }],
  ["DRY", { dry: true }],
  ["DRY without breakers", { dry: { multiplier: 2, allowedLength: 1, penaltyLastN: 400, sequenceBreakers: [] } }],
  ["all", { frequencyPenalty: 0.2, presencePenalty: 0.3, dry: { base: 1.2 }, repetitionPenalty: 1.1 }],
];

test.each(CASES)("%s: every token is the best one of its logits without what it loses", async (_, options) => {
  const { frequencyPenalty = 0, presencePenalty = 0, repetitionPenalty = 1, dry } = options;
  const generated = await generate(options);
  const plain = await generate({});
  expect(generated).not.toEqual(plain);
  const textOf = (token: number) => model.detokenize([token], { special: true, continues: true });
  const sequence = model.tokenize(PROMPT);
  for (const [i, token] of generated.entries()) {
    const logits = (await model.logits(sequence)) as Float32Array;
    for (const seen of new Set(sequence)) {
      logits[seen] =
        logits[seen]! < 0
          ? logits[seen]! * Math.fround(repetitionPenalty)
          : logits[seen]! / Math.fround(repetitionPenalty);
    }
    const lost = new Map<number, number>();
    for (const said of new Set(generated.slice(0, i))) {
      const count = generated.slice(0, i).filter((other) => other === said).length;
      lost.set(said, count * frequencyPenalty + presencePenalty);
    }
    const own: Partial<Dry> = dry === true ? {} : (dry as DryOptions as Partial<Dry>);
    for (const [id, penalty] of dry ? dryPenalties(sequence, { ...DRY, ...own }, textOf) : []) {
      lost.set(id, (lost.get(id) ?? 0) + penalty);
    }
    for (const [id, penalty] of lost) logits[id] = logits[id]! - Math.fround(penalty);
    for (const end of model.info.tokenizer.end) logits[end] = Number.NEGATIVE_INFINITY;
    expect(token, `token ${i}`).toBe(logits.indexOf(Math.max(...logits)));
    sequence.push(token);
  }
});

test("the same tokens on every build, with guesses, with log-probabilities", async () => {
  const options = { ...CASES.at(-1)![1], temperature: 1, seed: 3 };
  const tokens = await generate(options);
  expect(await generate({ ...options, promptLookup: true })).toEqual(tokens);
  expect(await generate({ ...options, logprobs: 5 })).toEqual(tokens);
  for (const build of ["simd", "relaxed", "simd-mt", "relaxed-mt"] satisfies Build[]) {
    const threads = build.endsWith("mt") ? 2 : undefined;
    const other = await loadNano({ build, threads }).catch((error) => error.code as string);
    if (typeof other === "string") {
      expect(other).toBe("UNSUPPORTED_RUNTIME");
      continue;
    }
    expect(await generate(options, other)).toEqual(tokens);
    other.close();
  }
});

test("what a grammar allows is no matter of taste: a schema's text stays what it is", async () => {
  const schema = {
    type: "array",
    items: { type: "object", properties: { url: { type: "string" } }, required: ["url"] },
  };
  const structured = { responseFormat: { type: "json_schema", schema }, maxTokens: 80 } as const;
  const plain = await generate(structured);
  expect(await generate({ ...structured, frequencyPenalty: 2, presencePenalty: 2, dry: true })).toEqual(plain);
});

test("in a context that slides, what was said still counts", async () => {
  const small = await loadNano({ contextLength: 64 });
  const options = { ...base, maxTokens: 150, overflow: { keep: 4 }, dry: { penaltyLastN: 1000 } };
  const plain = await generate({ ...options, presencePenalty: 2 }, small);
  expect(plain).toHaveLength(150);
  expect(new Set(plain).size).toBeGreaterThan(120); // hardly one comes twice
  small.close();
});

test("what is wrong is named", async () => {
  const long = "a".repeat(41);
  const message = `option "dry.sequenceBreakers[1]" is "${long}", must be a string of at most 40 bytes`;
  expect(await caught(generate({ dry: { sequenceBreakers: ["\n", long] } }))).toMatchObject({
    code: "INVALID_OPTION",
    message,
  });
  const wrong: [GenerateOptions, string][] = [
    [{ frequencyPenalty: 2.5 }, 'option "frequencyPenalty" is 2.5, must be a number from -2 to 2'],
    [{ dry: { base: 0.5 } }, 'option "dry.base" is 0.5, must be a number from 1 to 100'],
    [{ dry: { sequenceBreakers: [""] } }, 'option "dry.sequenceBreakers[0]" is "", must be a string that is not empty'],
    [{ dry: 0.8 as never }, 'option "dry" is 0.8, must be true, false or an object'],
  ];
  for (const [options, message] of wrong) expect(() => model.complete("a", options)).toThrow(message);
});
