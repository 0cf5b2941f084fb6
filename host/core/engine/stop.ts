// From generated tokens to the text that is shown: stop strings in a stream whose pieces end anywhere, and whole characters.

import type { Engine } from "./engine.js";
import { encode, endsInText, decode as textOf } from "./tokenizer.js";

/**
 * Finds the first stop string to be complete, however the text is cut into pieces. Text that may still turn out to be
 * the start of one is held back, so no part of a stop string is ever passed on.
 */
export class StopMatcher {
  readonly #stops: readonly string[];
  #held = "";
  #stopped = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** Whether a stop string has been seen; nothing is passed on after that. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes the next piece; returns the text that may be passed on. */
  push(piece: string): string {
    if (this.#stopped) return "";
    const text = this.#held + piece;
    const match = this.#firstComplete(text);
    if (match >= 0) {
      this.#stopped = true;
      this.#held = "";
      return text.slice(0, match);
    }
    const keep = this.#heldLength(text);
    this.#held = text.slice(text.length - keep);
    return text.slice(0, text.length - keep);
  }

  /** No more text follows; returns what was held back. */
  flush(): string {
    const held = this.#held;
    this.#held = "";
    return held;
  }

  /** Start of the stop string that ends first (the longest of those), or -1. */
  #firstComplete(text: string): number {
    let start = -1;
    let end = Number.POSITIVE_INFINITY;
    for (const stop of this.#stops) {
      const at = text.indexOf(stop);
      if (at < 0) continue;
      if (at + stop.length < end || (at + stop.length === end && at < start)) {
        start = at;
        end = at + stop.length;
      }
    }
    return start;
  }

  /** Length of the longest end of `text` that begins a stop string. */
  #heldLength(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}

/** The text of generated tokens: whole characters only, and nothing of a stop string. */
export class GeneratedText {
  readonly #engine: Engine;
  readonly #sequence: number;
  readonly #matcher: StopMatcher;
  readonly #utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  /** Whether there is text before it. */
  readonly #continues: boolean;
  #shown = "";

  /**
   * @param sequence of the core
   * @param before the tokens that it follows
   */
  constructor(engine: Engine, sequence: number, stops: readonly string[], before: readonly number[]) {
    this.#engine = engine;
    this.#sequence = sequence;
    this.#matcher = new StopMatcher(stops);
    this.#continues = endsInText(engine.core, before);
    engine.core.check(engine.core.exports.pieceReset(sequence, before.at(-1) ?? -1));
  }

  get stopped(): boolean {
    return this.#matcher.stopped;
  }

  append(token: number): string {
    return this.#show(this.#matcher.push(this.#read(this.#engine.core.exports.pieceAppend(this.#sequence, token))));
  }

  /** What is left when no more tokens follow. */
  finish(): string {
    const last = this.#matcher.push(this.#read(this.#engine.core.exports.pieceFlush(this.#sequence)));
    return this.#show(last + this.#matcher.flush());
  }

  /** The tokens of exactly the text that was shown: a stop string may begin inside a token. */
  tokensShown(tokens: readonly number[]): number[] {
    const { core } = this.#engine;
    for (let length = tokens.length; ; length--) {
      const kept = tokens.slice(0, length);
      const text = textOf(core, kept, false, this.#continues);
      if (!this.#shown.startsWith(text)) continue;
      const continues = this.#continues || endsInText(core, kept);
      return [...kept, ...encode(core, this.#shown.slice(text.length), { continues })];
    }
  }

  #read(bytes: number): string {
    return this.#utf8.decode(this.#engine.core.read(bytes));
  }
  #show(text: string): string {
    this.#shown += text;
    return text;
  }
}
