// What the command line says to `zagreus eval`.

import type { EvalTask } from "../../eval/tasks.js";
import type { ModelFlags } from "../shared/model.js";

export interface EvalFlags extends ModelFlags {
  task?: EvalTask;
  limit?: number;
  shots?: number;
  examples?: string;
  suite?: string;
  led?: boolean;
  bos?: boolean;
  template?: string;
  answers?: string;
  out?: string;
  resume?: boolean;
  against?: string;
  html?: string;
}
