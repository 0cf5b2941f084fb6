// What bytes must still be when they come back: whether they are intact, not who made them.

import { IO_BYTES } from "../../../assembly/layout/abi.js";
import type { Core } from "../wasm/core.js";

/** XXH64 over pieces of 1 MiB, each seeded with the hash of the piece before it. */
export function checksum(core: Core, bytes: Uint8Array): bigint {
  let hash = 0n;
  for (let at = 0; at < bytes.length; at += IO_BYTES) {
    const piece = bytes.subarray(at, at + IO_BYTES);
    core.write(piece);
    hash = BigInt.asUintN(64, core.exports.hash(piece.length, hash));
  }
  return hash;
}
