/** Bytes as hexadecimal digits, two of each. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A 64-bit hash of the core, which returns it as a signed number, as sixteen hexadecimal digits. */
export function hexOfHash(hash: bigint): string {
  return BigInt.asUintN(64, hash).toString(16).padStart(16, "0");
}
