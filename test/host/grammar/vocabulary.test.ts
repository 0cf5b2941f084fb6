// The trie of a vocabulary's texts.

import fc from "fast-check";
import { expect, test } from "vitest";
import { finish } from "../../../host/core/grammar/index";
import { buildVocabulary, type Trie } from "../../../host/core/grammar/vocabulary";

const bytes = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));

/** Texts and tokens of a trie in its order. */
function entries({ byte, depth, token, after }: Trie): [text: string, token: number][] {
  const found: [string, number][] = [];
  const path: number[] = [];
  for (let node = 1; node < byte.length; node++) {
    path.length = depth[node]! - 1;
    path.push(byte[node]!);
    if (token[node]! >= 0) found.push([path.join(), token[node]!]);
    let next = node + 1;
    while (next < byte.length && depth[next]! > depth[node]!) next++;
    if (after[node] !== next) throw new Error(`node ${node} ends at ${after[node]}, not ${next}`);
  }
  return found;
}

test("the trie has the first token of every text, in the order of their bytes", () => {
  const text = fc.uint8Array({ max: 2, maxLength: 24 });
  fc.assert(
    fc.property(fc.array(text, { maxLength: 200 }), fc.integer({ min: 0, max: 300 }), (more, end) => {
      const texts = [...bytes, ...more, new Uint8Array()];
      const ends = end < 256 ? [] : [Math.min(end, texts.length - 1)];
      const vocabulary = finish(buildVocabulary(texts, ends));
      const wanted = new Map<string, number>();
      for (const [token, one] of texts.entries())
        if (one.length > 0 && !ends.includes(token) && !wanted.has(one.join())) wanted.set(one.join(), token);
      const sorted = [...wanted].sort(([a], [b]) =>
        Buffer.compare(Buffer.from(a.split(",").map(Number)), Buffer.from(b.split(",").map(Number))),
      );
      expect(entries(vocabulary.trie)).toEqual(sorted);
      expect(entries(vocabulary.longTrie)).toEqual(sorted.filter(([one]) => one.split(",").length > 16));
    }),
    { numRuns: 300 },
  );
});

test("long beginnings in common are no more work than their bytes", () => {
  const work = (length: number) => {
    const texts = Array.from({ length: 5000 }, (_, i) => Buffer.from("a".repeat(length) + String(i)));
    return [...buildVocabulary([...bytes, ...texts], [])].length;
  };
  expect(work(1000)).toBeLessThan(2.5 * work(500));
});
