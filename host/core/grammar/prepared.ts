// A grammar made ready for a vocabulary. What one text finds out about it serves the next.

import { ZagreusError } from "../api/errors.js";
import { type Automaton, compile } from "./automaton.js";
import { badGrammar, parseGrammar } from "./gbnf.js";
import { horizonClasses } from "./horizon.js";
import { DEAD, END, Machine } from "./machine.js";
import { Masks } from "./masks.js";
import type { Steps } from "./shared/slices.js";
import { shortestTokens } from "./shortest.js";
import { SHORT, type Vocabulary } from "./vocabulary.js";

const encoder = new TextEncoder();

export class PreparedGrammar {
  readonly vocabulary: Vocabulary;
  readonly masks: Masks;
  readonly #automaton: Automaton;
  readonly #trigger: Uint8Array;
  #machine: Machine;
  #start = DEAD;
  /** Results of length(). */
  readonly #lengths = new Map<number, number>();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(automaton: Automaton, classes: Int32Array, trigger: Uint8Array, vocabulary: Vocabulary) {
    this.vocabulary = vocabulary;
    this.#trigger = trigger;
    this.#automaton = automaton;
    this.#machine = this.#newMachine();
    this.masks = new Masks(this.#machine, classes, vocabulary);
  }

  /**
   * @param grammar GBNF
   * @param trigger what free text ends with, and the grammar's text begins with; empty: there is no free text
   * @throws ZagreusError BAD_GRAMMAR
   */
  static *prepare(grammar: string, trigger: string, vocabulary: Vocabulary): Steps<PreparedGrammar> {
    const bytes = encoder.encode(trigger);
    const automaton = yield* compile(yield* parseGrammar(grammar), bytes, vocabulary.missing);
    const classes = yield* horizonClasses(automaton, SHORT);
    return new PreparedGrammar(automaton, classes, bytes, vocabulary);
  }

  /** Does work of several slices when nobody else does: texts that run at once share the machine. */
  alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  get machine(): Machine {
    return this.#machine;
  }
  /** The configuration that texts start in. */
  get start(): number {
    return this.#start;
  }

  /** Whether `config` is in the free text before the trigger. */
  isFree(config: number): boolean {
    const { free } = this.#automaton;
    return free !== undefined && (this.#machine.items(config)[0] ?? -1) >= free;
  }

  /** A configuration of a machine under the name that it has now; forgets what has been computed when that is too much. */
  renew(machine: Machine, config: number): number {
    if (this.#machine.isFull) {
      this.#machine = this.#newMachine();
      this.masks.moveTo(this.#machine);
      this.#lengths.clear();
    }
    return machine === this.#machine ? config : machine.copyTo(this.#machine, config);
  }

  /** Tokens that lead from `config` to the end on a shortest way; undefined when it is too long to be looked for. */
  plan(config: number): number[] | undefined {
    return shortestTokens(this.#machine, this.vocabulary, config);
  }

  /** Tokens that suffice from `config` to the end. */
  length(config: number): number {
    let length = this.#lengths.get(config);
    if (length === undefined) {
      length = this.plan(config)?.length ?? this.#machine.distance(config);
      this.#lengths.set(config, length);
    }
    return length;
  }

  /** Whether `left` tokens suffice from `config` to the end. */
  reaches(config: number, left: number): boolean {
    const bytes = this.#machine.distance(config);
    return bytes <= left || (bytes <= left * this.vocabulary.longest && this.length(config) <= left);
  }

  #newMachine(): Machine {
    const automaton = this.#automaton;
    const machine = new Machine(automaton);
    this.#start = machine.start(automaton.start, END);
    if (automaton.free === undefined) return machine;
    const triggered = machine.run(this.#start, this.#trigger);
    if (triggered === DEAD) throw badGrammar("no text of it begins with the trigger", "trigger");
    machine.alias(automaton.free + this.#trigger.length, triggered);
    this.#start = machine.open(automaton.free, END);
    return machine;
  }
}

/** Rules nest deeper than machine.ts follows them, where they cannot do without. */
export const tooDeep = (): ZagreusError =>
  new ZagreusError("BAD_GRAMMAR", "grammar: the text nests too deeply", { field: "grammar" });
