// DRY, "don't repeat yourself" (https://github.com/oobabooga/text-generation-webui/pull/5677), with the meaning that llama.cpp gives its
// options: where the last n tokens stood before, the token that followed them there loses multiplier * base^(n - allowedLength).
//
//     window   a b c x . a b c        n = 3 before x: x loses multiplier * base^(3 - allowedLength)
//     window   a b c x : b c          n never reaches back over a breaker: 2 at most

import type { Dry } from "../../api/options.js";

/** No more is added up: f32 holds it. */
const LARGEST_POWER = 2 ** 127;

export class DryPenalties {
  readonly #options: Dry;
  readonly #breakers: Breakers;
  /** base^k, by multiplication, which is the same everywhere. */
  readonly #powers = [1];
  #lengths = new Int32Array(0);

  /** @param textOf the bytes of a token, as characters */
  constructor(options: Dry, textOf: (token: number) => string) {
    this.#options = options;
    this.#breakers = new Breakers(options.sequenceBreakers, textOf);
  }

  /** What tokens lose behind a sequence. */
  *of(sequence: readonly number[]): Iterable<[token: number, penalty: number]> {
    const { multiplier, allowedLength, penaltyLastN } = this.#options;
    const size = Math.min(sequence.length, penaltyLastN);
    const limit = this.#breakers.tokensBehind(sequence, size);
    if (limit < allowedLength) return;
    for (const [token, length] of this.#longest(sequence, size, limit)) {
      if (this.#breakers.has(token)) continue;
      yield [token, multiplier * this.#power(length - allowedLength)];
    }
  }

  /** The sequence has changed otherwise than at its end. */
  restart(): void {
    this.#breakers.restart();
  }

  /** By the tokens that followed a repetition, its length, of at most `limit` tokens. */
  #longest(sequence: readonly number[], size: number, limit: number): Map<number, number> {
    const { allowedLength } = this.#options;
    const last = sequence.length - 1;
    if (this.#lengths.length < size) this.#lengths = new Int32Array(2 * size);
    const lengths = this.#lengths;
    const found = new Map<number, number>();
    // The Z-algorithm, from the end on: the sequence, reversed, agrees with itself `lengths[k]` tokens long from its k-th on.
    let [left, right] = [0, 0];
    for (let k = 1; k < size; k++) {
      let length = k < right ? Math.min(right - k, lengths[k - left]!) : 0;
      while (k + length < size && sequence[last - length] === sequence[last - k - length]) length++;
      if (k + length > right) [left, right] = [k, k + length];
      lengths[k] = length;
      if (length < allowedLength) continue;
      const token = sequence[last - k + 1]!;
      found.set(token, Math.max(found.get(token) ?? 0, Math.min(length, limit)));
    }
    return found;
  }

  #power(exponent: number): number {
    const powers = this.#powers;
    while (powers.length <= exponent) powers.push(Math.min(powers.at(-1)! * this.#options.base, LARGEST_POWER));
    return powers[exponent]!;
  }
}

/** Where texts that end a repetition stand, wherever token borders lie. */
class Breakers {
  readonly #texts: readonly string[];
  readonly #longest: number;
  readonly #textOf: (token: number) => string;
  readonly #known = new Map<number, string>();
  /** Tokens of the sequence that have been looked at, and the index behind the last one in which a breaker ends. */
  #seen = 0;
  #end = 0;

  constructor(texts: readonly string[], textOf: (token: number) => string) {
    this.#texts = texts.map((text) => String.fromCharCode(...new TextEncoder().encode(text)));
    this.#longest = Math.max(0, ...this.#texts.map(({ length }) => length));
    this.#textOf = textOf;
  }

  /** Whether the token has a breaker in its text. */
  has(token: number): boolean {
    const text = this.#text(token);
    return this.#texts.some((breaker) => text.includes(breaker));
  }

  /** How many of the last `size` tokens stand behind the last breaker. */
  tokensBehind(sequence: readonly number[], size: number): number {
    const first = sequence.length - size;
    this.#seen = Math.max(this.#seen, first);
    for (; this.#seen < sequence.length; this.#seen++) {
      if (this.#endsIn(sequence, this.#seen)) this.#end = this.#seen + 1;
    }
    return sequence.length - Math.max(this.#end, first);
  }

  restart(): void {
    this.#seen = 0;
    this.#end = 0;
  }

  /** Whether a breaker ends in the token at an index. */
  #endsIn(sequence: readonly number[], index: number): boolean {
    const own = this.#text(sequence[index]!);
    let before = "";
    for (let i = index - 1; i >= 0 && before.length < this.#longest - 1; i--)
      before = this.#text(sequence[i]!) + before;
    const text = before + own;
    return this.#texts.some((breaker) => text.includes(breaker, Math.max(before.length - breaker.length + 1, 0)));
  }

  #text(token: number): string {
    let text = this.#known.get(token);
    if (text === undefined) {
      text = this.#textOf(token);
      this.#known.set(token, text);
    }
    return text;
  }
}
