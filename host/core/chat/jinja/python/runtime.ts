// What every operation on a template's values needs: the budget that it spends from, and the guards in what people wrote.

/** A mistake in a template, in the way Python would say it, or something of Jinja's that is not supported. */
export class TemplateError extends Error {}

/** What is left out on purpose. */
export function unsupported(what: string): TemplateError {
  return new TemplateError(`${what} is not supported`);
}

/** Units of work; one takes 10 to 60 ns. A conversation of 1,000 messages takes 500,000. */
export const MAX_WORK = 2 ** 24;
/** Units of one operation, between two of which others get their turn. */
const MAX_OPERATION = 300_000;
/** Characters of one text: several times what the longest context holds. */
export const MAX_TEXT = 4 * 2 ** 20;
/** How deep values are walked: repr(), tojson, comparisons. */
export const MAX_NESTING = 200;

const STEP = 8;
const ITEM = 4;
/** Characters that native code handles in one unit. */
const NATIVE = 16;

/** Characters that stand in for others, one for one, so that positions and lengths stay. */
export type Guards = ReadonlyMap<string, string>;

export class Runtime {
  readonly now: Date;
  readonly #guards: Guards;
  #work = 0;
  #begun = 0;

  /** @param guards what a guard in a text means: comparisons and searches see the meaning, the text keeps the guard */
  constructor(guards: Guards = new Map(), now = new Date()) {
    this.#guards = guards;
    this.now = now;
  }

  /** Units spent so far. */
  get work(): number {
    return this.#work;
  }

  /** A node of the template is evaluated. @throws TemplateError when all is spent */
  step(): void {
    this.#begun = this.#work;
    this.spend(STEP);
  }

  /** Items of a value are looked at or copied. @throws TemplateError */
  items(count: number): void {
    this.spend(count * ITEM);
  }

  /** Characters are searched or copied by native code. @throws TemplateError */
  text(length: number): void {
    this.spend(1 + length / NATIVE);
  }

  /** A text of that length is about to be made. @throws TemplateError when it is too long */
  allocate(length: number): void {
    if (length > MAX_TEXT)
      throw new TemplateError(`a text of it has ${length} characters, must be at most ${MAX_TEXT}`);
    this.text(length);
  }

  /** @throws TemplateError */
  spend(units: number): void {
    this.#work += units;
    if (this.#work > MAX_WORK) throw new TemplateError(`it takes more than ${MAX_WORK} units of work`);
    if (this.#work - this.#begun > MAX_OPERATION) {
      throw new TemplateError(`one step of it takes more than ${MAX_OPERATION} units of work`);
    }
  }

  isGuard(character: string): boolean {
    return this.#guards.has(character);
  }

  /** The text with guards replaced by what they mean; of the same length. */
  plain(text: string): string {
    let plain = text;
    for (const [guard, meaning] of this.#guards) {
      this.text(text.length);
      plain = plain.replaceAll(guard, () => meaning);
    }
    return plain;
  }
}
