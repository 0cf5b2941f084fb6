// A token that nobody sees, at the end of a load. Engines compile code well only after it has run for a while, and
// memory gets its pages when it is first touched; without this the first token of the first prompt would wait for both.

import type { ChatFinishReason } from "../api/api.js";
import { checkGenerateOptions } from "../api/options.js";
import { KvCache } from "../kv/kv_cache.js";
import { KvSequences } from "../kv/kv_sequences.js";
import { KernelChoice } from "../wasm/kernel_choice.js";
import { Fairness } from "./batch/fairness.js";
import { Scheduler } from "./batch/scheduler.js";
import { GenerationRecord } from "./completion.js";
import type { Engine } from "./engine.js";
import { generate } from "./generate.js";

/** Samplings until V8 has compiled the sampler; each takes well below a millisecond. */
const SAMPLINGS = 4;

/** Leaves no trace: the KV cache is empty again, and every generation sets the sampler itself. @throws ZagreusError ABORTED */
export async function warmUp(engine: Engine, signal: AbortSignal | undefined): Promise<void> {
  engine.runner = {
    sequences: new KvSequences(new KvCache(engine.core, engine.elsewhere)),
    scheduler: new Scheduler(engine),
    fairness: new Fairness(),
  };
  const options = checkGenerateOptions({ maxTokens: 1, seed: 0, signal }, engine.info.vocabulary);
  const job = { options, sequence: () => [0], shares: false };
  const record = new GenerationRecord<ChatFinishReason>();
  for await (const _ of generate(engine, job, record, signal));
  engine.tokenMs = record.timings?.prefillMs ?? 0;
  const { core } = engine;
  engine.kernels = new KernelChoice(core, engine.info);
  for (let i = 0; i < SAMPLINGS; i++) core.exports.sample(0);
}
