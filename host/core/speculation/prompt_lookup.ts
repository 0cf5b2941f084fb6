// Guesses how a text goes on from how it went on before: prompt-lookup decoding, whose guesses cost next to nothing
// (https://github.com/apoorvumang/prompt-lookup-decoding). How far a guess is to be trusted is learned as the match
// models of data compressors do: by how much of the text before it agrees.

/** Tokens of agreement that are told apart. */
const LONGEST_MATCH = 16;
/** Share of guesses that come true, by tokens of agreement, before anything is known of a text. */
const FIRST_TRUST = [0, 0.1, 0.3, 0.45, 0.55, 0.65, 0.7, 0.75, 0.8, 0.83, 0.86, 0.88, 0.9, 0.92, 0.93, 0.94, 0.95];
/** Weight of the newest guess in the estimate. */
const LEARNING_RATE = 1 / 12;

export class PromptLookup {
  readonly #text: readonly number[];
  /** Of n-grams of 1, 2, ... tokens: index of the token after the last one with a hash. Collisions are overwritten. */
  readonly #followers: Int32Array[];
  readonly #hashes: Uint32Array;
  readonly #trust = Float64Array.from(FIRST_TRUST);
  /** Tokens of the text that have been taken in. */
  #known = 0;
  /** Index of the token that is guessed to come next, when #agreeing > 0. */
  #next = 0;
  /** How many tokens before it are those at the end of the text. */
  #agreeing = 0;

  /**
   * @param text tokens, to which the caller appends
   * @param ngram tokens of the longest n-gram that is looked up
   * @param capacity tokens that the text will have about
   */
  constructor(text: readonly number[], ngram: number, capacity: number) {
    this.#text = text;
    const slots = 2 ** Math.ceil(Math.log2(2 * Math.max(capacity, 1)));
    this.#followers = Array.from({ length: ngram }, () => new Int32Array(slots));
    this.#hashes = new Uint32Array(ngram);
    const prompt = text.length;
    while (this.#known < prompt) this.#index();
    // How a prompt repeats itself says little of whether an answer repeats the prompt.
    this.#trust.set(FIRST_TRUST);
  }

  /** Takes in what was appended. Constant time for each token. */
  update(): void {
    while (this.#known < this.#text.length) this.#index();
  }

  /** How many of the next `count` guesses are expected to come true in a row. */
  expected(count: number): number {
    let all = 0;
    if (this.#agreeing > 0) {
      let chance = 1;
      for (let i = 0; i < count; i++) {
        chance *= this.#trust[Math.min(this.#agreeing + i, LONGEST_MATCH)]!;
        all += chance;
      }
    }
    return all;
  }

  /** The next `count` tokens; none without a clue. What is copied may itself be a guess: loops go on for ever. */
  guess(count: number): number[] {
    const tokens: number[] = [];
    if (this.#agreeing === 0) return tokens;
    for (let at = this.#next; tokens.length < count; at++)
      tokens.push(this.#text[at] ?? tokens[at - this.#text.length]!);
    return tokens;
  }

  #index(): void {
    const token = this.#text[this.#known++]!;
    if (this.#agreeing > 0) {
      const right = this.#text[this.#next] === token;
      this.#trust[this.#agreeing]! += ((right ? 1 : 0) - this.#trust[this.#agreeing]!) * LEARNING_RATE;
      this.#agreeing = right ? Math.min(this.#agreeing + 1, LONGEST_MATCH) : 0;
      this.#next++;
    }
    this.#hash();
    if (this.#agreeing < this.#followers.length) this.#search();
    this.#followers.forEach((followers, i) => {
      if (i < this.#known) followers[this.#slot(i)] = this.#known;
    });
  }

  /** Hashes of the n-grams at the end of the text. */
  #hash(): void {
    let hash = 0;
    for (let i = 0; i < this.#hashes.length && i < this.#known; i++) {
      hash = Math.imul(hash ^ this.#text[this.#known - 1 - i]!, 0x9e3779b1);
      hash ^= hash >>> 15;
      this.#hashes[i] = hash;
    }
  }

  #slot(i: number): number {
    return this.#hashes[i]! & (this.#followers[i]!.length - 1);
  }

  /** Finds the last place where the end of the text stood before, by the longest n-gram. */
  #search(): void {
    for (let i = Math.min(this.#followers.length, this.#known) - 1; i >= 0; i--) {
      const next = this.#followers[i]![this.#slot(i)]!;
      const agreeing = this.#agreement(next);
      if (agreeing <= i || agreeing <= this.#agreeing) continue;
      this.#next = next;
      this.#agreeing = agreeing;
      return;
    }
  }

  /** How many tokens before index `next` are those at the end of the text. */
  #agreement(next: number): number {
    let length = 0;
    while (length < Math.min(next, LONGEST_MATCH)) {
      if (this.#text[next - 1 - length] !== this.#text[this.#known - 1 - length]) break;
      length++;
    }
    return length;
  }
}
