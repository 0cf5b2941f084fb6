// What Node supplies.

import { createHash } from "node:crypto";
import { createSharding } from "../../core/shard/index.js";
import { node } from "../platform.js";
import type { Source } from "../source.js";

export const sharding = createSharding<Source>({
  ...node,
  open: node.open,
  sha256() {
    const hash = createHash("sha256");
    return { write: (bytes) => void hash.update(bytes), digest: () => hash.digest("hex") };
  },
});
