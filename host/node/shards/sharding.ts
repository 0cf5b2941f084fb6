// What Node supplies.

import { createSharding } from "../../core/shard/index.js";
import { node } from "../platform.js";
import type { Source } from "../source.js";
import { sha256 } from "./sha256.js";

export const sharding = createSharding<Source>({
  ...node,
  open: node.open,
  sha256,
});
