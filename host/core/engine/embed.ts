// A text as one vector.

import type { Embedding } from "../api/options.js";
import type { Engine } from "./engine.js";
import { prefill } from "./prefill.js";

/**
 * Mean of the hidden states behind the last norm over all tokens, scaled to length 1.
 * @throws ZagreusError ABORTED, CLOSED, CONTEXT_OVERFLOW
 */
export async function embed(
  engine: Engine,
  sequence: () => readonly number[],
  { client, cacheSalt, signal }: Embedding,
): Promise<Float32Array> {
  const release = await engine.queue.enter(signal, client);
  try {
    const { hidden } = engine.info;
    const sum = new Float64Array(hidden);
    const use = { origin: engine.origin(cacheSalt), parks: false };
    for await (const { count } of prefill(engine, sequence(), 0, use, engine.pace(signal))) {
      const { core } = engine;
      const states = core.floats(core.rows(core.exports.hidden(0, count)), count * hidden);
      for (let i = 0; i < states.length; i++) sum[i % hidden]! += states[i]!;
    }
    const length = Math.sqrt(sum.reduce((total, value) => total + value * value, 0));
    return Float32Array.from(sum, (value) => (length > 0 ? value / length : 0));
  } finally {
    release();
  }
}
