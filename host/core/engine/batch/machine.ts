// What passes need of a loaded core.

import type { ModelInfo } from "../../api/api.js";
import type { ZagreusError } from "../../api/errors.js";
import type { KvSequences } from "../../kv/kv_sequences.js";
import type { BatchCosts } from "../../speculation/batch_costs.js";
import type { Core } from "../../wasm/core.js";
import type { KernelChoice } from "../../wasm/kernel_choice.js";
import type { LayersElsewhere } from "./elsewhere.js";
import type { Fairness } from "./fairness.js";

export interface Machine {
  /** @throws ZagreusError CLOSED */
  readonly core: Core;
  readonly info: ModelInfo;
  readonly sequences: KvSequences;
  readonly fairness: Fairness;
  readonly kernels: KernelChoice | undefined;
  readonly batchCosts: BatchCosts;
  /** Where the core has no layers. */
  readonly elsewhere: LayersElsewhere | undefined;
  /** Milliseconds that a token of a prompt takes, as last measured. */
  tokenMs: number;
  /** The core has stopped in the middle of something (a trap), and is of no more use. @returns what is thrown from now on */
  fail(cause: unknown): ZagreusError;
  /** Lets the event loop come round if it is time. @throws ZagreusError CLOSED, THREAD_FAILED */
  rest(): Promise<void>;
  /** Lets the event loop come round. @throws ZagreusError CLOSED, THREAD_FAILED */
  turn(): Promise<void>;
}
