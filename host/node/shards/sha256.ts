// SHA-256 of bytes that come in pieces.

import { createHash } from "node:crypto";
import type { Sha256Stream } from "../../core/load/pieces.js";

export function sha256(): Sha256Stream {
  const hash = createHash("sha256");
  return { write: (bytes) => void hash.update(bytes), digest: () => hash.digest("hex") };
}
