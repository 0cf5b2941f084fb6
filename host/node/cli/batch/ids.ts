// Which ids there were, in 32 bytes for each at most, however long they are.

import { createHash } from "node:crypto";

const FIRST_CAPACITY = 1024;
const WORDS = 4;

/** A set of texts, by 128 bits of their SHA-256: open addressing, at most half full. */
export class Ids {
  #slots = new Uint32Array(FIRST_CAPACITY * WORDS);
  #size = 0;

  /** Returns whether the id is new. */
  add(id: string): boolean {
    const digest = createHash("sha256").update(id).digest();
    const words = Uint32Array.from({ length: WORDS }, (_, i) => digest.readUInt32LE(4 * i));
    if (words.every((word) => word === 0)) words[0] = 1; // zeros are an empty slot
    const added = insert(this.#slots, words);
    if (added && 2 * ++this.#size * WORDS > this.#slots.length) this.#grow();
    return added;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Uint32Array(2 * before.length);
    for (let at = 0; at < before.length; at += WORDS) {
      const words = before.subarray(at, at + WORDS);
      if (words.some((word) => word !== 0)) insert(this.#slots, words);
    }
  }
}

function insert(slots: Uint32Array, words: Uint32Array): boolean {
  const capacity = slots.length / WORDS;
  for (let slot = words[0]! % capacity; ; slot = (slot + 1) % capacity) {
    const found = slots.subarray(slot * WORDS, (slot + 1) * WORDS);
    if (found.every((word, i) => word === words[i])) return false;
    if (found.some((word) => word !== 0)) continue;
    found.set(words);
    return true;
  }
}
