// The special variable `loop`: jinja2.runtime.LoopContext. It looks ahead only when it is asked what comes.

import { equal } from "./python/operators.js";
import { type Runtime, TemplateError } from "./python/runtime.js";
import { Callable, lengthOf, PyObject, Tuple, Undefined, type Value } from "./python/values.js";

/** Items of a loop; without one where the template's run may stop. */
export type LoopItems = Generator<{ item: Value } | undefined, void>;
/** A computation that may stop without a value. */
export type Run<T> = Generator<undefined, T>;

export class LoopContext extends PyObject {
  readonly type = "LoopContext";
  readonly depth0: number;
  /** What it takes to call the loop, if it is recursive. */
  readonly recursion: unknown;
  readonly #source: Value | undefined;
  readonly #items: LoopItems;
  readonly #runtime: Runtime;
  readonly #ahead: Value[] = [];
  #ended = false;
  #index0 = -1;
  #length: number | undefined;
  #before: Value | undefined;
  #current: Value | undefined;
  #changed: Tuple | undefined;

  /** @param source what is looped over, unless a test picks from it */
  constructor(source: Value | undefined, items: LoopItems, depth0: number, recursion: unknown, runtime: Runtime) {
    super();
    this.#source = source;
    this.#items = items;
    this.depth0 = depth0;
    this.recursion = recursion;
    this.#runtime = runtime;
  }

  get current(): Value {
    return this.#current!;
  }

  /** Goes on to the next item, if there is one. */
  *next(): Run<boolean> {
    if (!(yield* this.#fetch(1))) return false;
    this.#before = this.#current;
    this.#current = this.#ahead.shift()!;
    this.#index0++;
    return true;
  }

  /** Whether there are so many items ahead. */
  *#fetch(count: number): Run<boolean> {
    while (this.#ahead.length < count && !this.#ended) {
      const { done, value } = this.#items.next();
      if (done) this.#ended = true;
      else if (value) this.#ahead.push(value.item);
      else yield;
    }
    return this.#ahead.length >= count;
  }

  /** Of what is looped over, if that has a length; else all items are taken now. */
  *#count(): Run<number> {
    if (this.#length === undefined) {
      if (this.#source !== undefined && !isGenerator(this.#source))
        this.#length = lengthOf(this.#source, this.#runtime);
      else {
        yield* this.#fetch(Number.POSITIVE_INFINITY);
        this.#length = this.#index0 + 1 + this.#ahead.length;
      }
    }
    return this.#length;
  }

  /** @throws TemplateError for calls without arguments */
  *attribute(name: string): Run<Value | undefined> {
    const index0 = this.#index0;
    switch (name) {
      case "index":
        return BigInt(index0 + 1);
      case "index0":
        return BigInt(index0);
      case "first":
        return index0 === 0;
      case "last":
        return !(yield* this.#fetch(1));
      case "length":
        return BigInt(yield* this.#count());
      case "revindex":
        return BigInt((yield* this.#count()) - index0);
      case "revindex0":
        return BigInt((yield* this.#count()) - index0 - 1);
      case "depth":
        return BigInt(this.depth0 + 1);
      case "depth0":
        return BigInt(this.depth0);
      case "previtem":
        return index0 === 0 ? new Undefined("there is no previous item") : this.#before!;
      case "nextitem":
        return (yield* this.#fetch(1)) ? this.#ahead[0]! : new Undefined("there is no next item");
      case "cycle":
        return new Callable("cycle", (args) => this.#cycle(args));
      case "changed":
        return new Callable("changed", (args) => this.#hasChanged(new Tuple(args)));
      default:
        return undefined;
    }
  }

  #cycle(args: Value[]): Value {
    if (args.length === 0) throw new TemplateError("no items for cycling given");
    return args[this.#index0 % args.length]!;
  }

  #hasChanged(values: Tuple): boolean {
    if (this.#changed && equal(this.#changed, values, this.#runtime)) return false;
    this.#changed = values;
    return true;
  }
}

function isGenerator(value: Value): boolean {
  return value instanceof PyObject && value.type === "generator";
}
