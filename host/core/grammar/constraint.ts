// A text on its way through a grammar.

import { badGrammar } from "./gbnf.js";
import { DEAD, type Machine } from "./machine.js";
import { unite } from "./masks.js";
import { type PreparedGrammar, tooDeep } from "./prepared.js";
import { finish, finishInSlices, type Steps } from "./shared/slices.js";

/** Follows a text token by token, and says which tokens keep it on the way to a text of the grammar. */
export interface Constraint {
  /**
   * Fills the mask for the next token: bit i & 7 of byte i >> 3 says whether token i may come. False: anything may come.
   * @param remaining tokens that may still be sampled, this one included
   */
  allow(mask: Uint8Array, remaining: number): boolean;
  /** The same, with a pause now and then that lets others get their turn. The grammar is nobody else's meanwhile. */
  allowInSlices(mask: Uint8Array, remaining: number, pause: () => Promise<void>): Promise<boolean>;
  /** The token that was sampled. */
  accept(token: number): void;
  /** Whether the text is one of the grammar, */
  readonly complete: boolean;
  /** and nothing may follow. */
  readonly finished: boolean;
  /** Tokens that suffice from here to the end, an end token not counted. */
  readonly shortest: number;
}

/** Of a prefix, what is counted as a token's work. */
const TOKEN_BYTES = 32;

export class GrammarConstraint implements Constraint {
  readonly #grammar: PreparedGrammar;
  #machine: Machine;
  #config: number;
  /** Tokens that lead to the end, since it became near. */
  #plan: number[] | undefined;

  /**
   * @param prefix what stands before the first token
   * @throws ZagreusError BAD_GRAMMAR where no text of the grammar begins with it
   */
  constructor(grammar: PreparedGrammar, prefix = "") {
    this.#grammar = grammar;
    this.#machine = grammar.machine;
    this.#config = grammar.start;
    const bytes = new TextEncoder().encode(prefix);
    for (let at = 0; at < bytes.length && this.#config !== DEAD; at += TOKEN_BYTES) {
      this.#machine.startCount();
      this.#config = this.#machine.run(this.#config, bytes.subarray(at, at + TOKEN_BYTES));
    }
    if (this.#config === DEAD) throw badGrammar("no text of it begins with the prefix", "prefix");
  }

  get complete(): boolean {
    return this.#machine.ends(this.#config);
  }
  get finished(): boolean {
    return this.complete && this.#machine.items(this.#config).length === 0;
  }
  get shortest(): number {
    return this.#grammar.length(this.#config);
  }

  allow(mask: Uint8Array, remaining: number): boolean {
    return finish(this.#allow(mask, remaining));
  }

  allowInSlices(mask: Uint8Array, remaining: number, pause: () => Promise<void>): Promise<boolean> {
    return this.#grammar.alone(() => finishInSlices(this.#allow(mask, remaining), pause));
  }

  *#allow(mask: Uint8Array, remaining: number): Steps<boolean> {
    const { masks, vocabulary } = this.#grammar;
    this.#config = this.#grammar.renew(this.#machine, this.#config);
    this.#machine = this.#grammar.machine;
    masks.startCount();
    const { tokens, furthest } = yield* masks.of(this.#config);
    const isFree = this.#grammar.isFree(this.#config);
    if (tokens.length === 0 && !this.complete) throw tooDeep();
    mask.fill(0);
    if (furthest < remaining) unite(mask, tokens);
    else yield* this.#allowNear(mask, remaining - 1);
    if (isFree || this.complete) unite(mask, vocabulary.end);
    if (!isFree) return true;
    unite(mask, vocabulary.control);
    return !isFull(mask, vocabulary.size);
  }

  accept(token: number): void {
    const { data, offsets } = this.#grammar.vocabulary;
    this.#machine.startCount();
    this.#config = this.#machine.run(this.#config, data.subarray(offsets[token], offsets[token + 1]));
    if (this.#config === DEAD) throw tooDeep();
    if (this.#plan?.[0] === token) this.#plan.shift();
    else this.#plan = undefined;
  }

  /** Only tokens after which `left` more suffice. */
  *#allowNear(mask: Uint8Array, left: number): Steps<void> {
    const grammar = this.#grammar;
    let isAll = true;
    yield* grammar.masks.walk(grammar.vocabulary.trie, 0, this.#config, (token, after) => {
      if (grammar.reaches(after, left)) mask[token >> 3]! |= 1 << (token & 7);
      else isAll = false;
    });
    if (isAll) return;
    // The plan of before is as good as a new one, and its tokens are promised to suffice.
    const plan = grammar.plan(this.#config);
    if (!this.#plan || (plan && plan.length < this.#plan.length)) this.#plan = plan;
    const next = this.#plan?.[0];
    if (next !== undefined) mask[next >> 3]! |= 1 << (next & 7);
  }
}

function isFull(mask: Uint8Array, size: number): boolean {
  for (let i = 0; i < size >> 3; i++) if (mask[i] !== 255) return false;
  return size % 8 === 0 || mask[size >> 3] === (1 << (size & 7)) - 1;
}
