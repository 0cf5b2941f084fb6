// Several generations of one request at once: the model has them in one batch.

/** How many of a request are begun at most before others have ended. */
const MOST = 16;

/** What all of them yield, as it comes. The first that throws ends the others. */
export async function* sideBySide<Event>(starts: readonly (() => AsyncGenerator<Event>)[]): AsyncGenerator<Event> {
  const waiting = starts.values();
  const running = new Map<AsyncGenerator<Event>, Promise<readonly [AsyncGenerator<Event>, IteratorResult<Event>]>>();
  const ask = (events: AsyncGenerator<Event>) => {
    running.set(
      events,
      events.next().then((step) => [events, step] as const),
    );
  };
  const begin = () => {
    const next = waiting.next();
    if (!next.done) ask(next.value());
  };
  for (let i = 0; i < MOST; i++) begin();
  try {
    while (running.size > 0) {
      const [events, step] = await Promise.race(running.values());
      if (step.done) {
        running.delete(events);
        begin();
      } else {
        yield step.value;
        ask(events);
      }
    }
  } finally {
    for (const [events, step] of running) {
      step.catch(() => {});
      events.return(undefined).catch(() => {});
    }
  }
}
