// Long work in steps, between which others get their turn.

/** Work that stops at every `yield`, which costs nothing where nobody waits. */
export type Steps<T> = Generator<void, T>;

/** Counts work, and stops when there was enough for a step. */
export class Rest {
  readonly #enough: number;
  #work = 0;
  #rested = 0;

  constructor(enough: number) {
    this.#enough = enough;
  }

  /** More work has been done. */
  after(work: number): Steps<void> {
    return this.at(this.#work + work);
  }

  /** So much has been done in all. */
  *at(work: number): Steps<void> {
    this.#work = work;
    if (work - this.#rested < this.#enough) return;
    this.#rested = work;
    yield;
  }
}

/** Items that are kept, each asked in steps. */
export function* filterInSteps<T>(items: Iterable<T>, keep: (item: T) => Steps<boolean>): Steps<T[]> {
  const kept: T[] = [];
  for (const item of items) if (yield* keep(item)) kept.push(item);
  return kept;
}

/** Whether all items are as they should be; those behind the first that is not are not asked. */
export function* everyInSteps<T>(items: Iterable<T>, holds: (item: T) => Steps<boolean>): Steps<boolean> {
  for (const item of items) if (!(yield* holds(item))) return false;
  return true;
}

export function* mapInSteps<T, U>(items: Iterable<T>, map: (item: T) => Steps<U>): Steps<U[]> {
  const mapped: U[] = [];
  for (const item of items) mapped.push(yield* map(item));
  return mapped;
}

/** Does it all at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** @param breathe called between steps; lets the event loop come round when it is time, and throws when the work must not go on */
export async function finishInSlices<T>(steps: Steps<T>, breathe: () => Promise<void>): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await breathe();
  }
}
