// What writing one kind of value needs of the writer of all.

import type { Rest, Steps } from "../../shared/slices.js";
import type { SchemaNode } from "../read/node.js";
import type { Reader } from "../read/reader.js";
import type { Alternatives } from "../ways/alternatives.js";
import type { Rules } from "./rules.js";
import type { Languages } from "./strings.js";
import type { Validity } from "./validity.js";

export interface Context {
  readonly reader: Reader;
  readonly ways: Alternatives;
  readonly languages: Languages;
  readonly validity: Validity;
  readonly rules: Rules;
  /** Stops after so many properties, items or values. */
  readonly rest: Rest;
  /** A grammar of the values that are valid against all of some schemas; undefined when there is none. */
  write(nodes: readonly SchemaNode[], path: string): Steps<string | undefined>;
}
