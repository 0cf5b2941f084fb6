// Long work in steps, between which others get their turn.

/** Work that stops at every `yield`, which costs nothing where nobody waits. */
export type Steps<T> = Generator<void, T>;

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
