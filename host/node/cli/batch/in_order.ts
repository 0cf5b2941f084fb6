// Work that goes on side by side, with results in the order of what it is done for.

export interface Limits {
  /** Items at work at a time. */
  parallel: number;
  /** Items whose results are not taken, at work or done, at most. */
  ahead: number;
}

/**
 * The results of `work` in the order of the items, which are taken from `items` as there is room for them.
 * @throws the first failure of `items` or `work`, behind the results that come before it
 */
export async function* inOrder<T, R>(
  items: AsyncIterable<T>,
  work: (item: T) => Promise<R>,
  { parallel, ahead }: Limits,
): AsyncGenerator<R> {
  const source = items[Symbol.asyncIterator]();
  const results: { ready?: { value: R } }[] = [];
  let running = 0;
  let isReading = false;
  let ended = false;
  let failure: { error: unknown } | undefined;
  let wake = () => {};
  const start = (task: Promise<void>) => {
    task
      .catch((error) => {
        failure ??= { error };
      })
      .finally(() => wake());
  };
  const run = async (item: T) => {
    const result: (typeof results)[number] = {};
    results.push(result);
    running++;
    result.ready = { value: await work(item).finally(() => running--) };
  };
  const read = async () => {
    isReading = true;
    try {
      const { done, value } = await source.next();
      if (done) ended = true;
      else start(run(value));
    } finally {
      isReading = false;
    }
  };
  try {
    for (;;) {
      const ready = results[0]?.ready;
      if (ready) {
        results.shift();
        yield ready.value;
        continue;
      }
      if (failure) throw failure.error;
      if (ended && results.length === 0) return;
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      if (!ended && !isReading && running < parallel && results.length < ahead) start(read());
      await woken;
    }
  } finally {
    if (!isReading) await source.return?.(); // else it waits for the reading, which may take forever
  }
}
