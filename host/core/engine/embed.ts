// A text as one vector.

import type { Embedding } from "../api/options.js";
import type { Engine } from "./engine.js";
import type { Pace } from "./pace.js";
import { RowReader } from "./row_reader.js";

/**
 * Mean of the hidden states behind the last norm over all tokens, scaled to length 1.
 * @throws ZagreusError ABORTED, CLOSED, CONTEXT_OVERFLOW
 */
export async function embed(
  engine: Engine,
  sequence: (pace: Pace) => Promise<readonly number[]>,
  options: Embedding,
): Promise<Float32Array> {
  const reader = await RowReader.open(engine, options);
  try {
    const { hidden } = engine.info;
    const sum = new Float64Array(hidden);
    await reader.read(await sequence(reader.pace), 0, "states", ({ count, address }) => {
      const states = engine.core.floats(address, count * hidden);
      for (let i = 0; i < states.length; i++) sum[i % hidden]! += states[i]!;
    });
    const length = Math.sqrt(sum.reduce((total, value) => total + value * value, 0));
    return Float32Array.from(sum, (value) => (length > 0 ? value / length : 0));
  } finally {
    reader.close();
  }
}
