// Several generations of one request at once: the model has them in one batch.

import { MAX_SEQUENCES } from "../../../../assembly/layout/abi.js";

/** What all of them yield, as it comes; no more are begun than a model runs at once. The first that throws ends the others. */
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
  for (let i = 0; i < MAX_SEQUENCES; i++) begin();
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
