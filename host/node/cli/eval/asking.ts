// What the parts of `zagreus eval` share.

import type { Model } from "../../index.js";
import { BUNDLED } from "../shared/family.js";
import type { EvalFlags } from "./flags.js";

/** What results call a model: as the command line does. */
export function nameOf({ model = BUNDLED }: EvalFlags, { info }: Model): string {
  return `${model} (${info.quantization})`;
}
