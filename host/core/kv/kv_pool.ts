// KV caches that had to give way, in blocks of tokens that make a tree, so that what begins alike is kept once (as in SGLang's
// RadixAttention, https://arxiv.org/abs/2312.07104). All buffers have one size and are used again: memory grows to the budget, and no
// further.

import { BLOCK } from "../../../assembly/layout/kv.js";

/** Tokens of a block, whose bytes lie together in every segment of the core's cache. */
export const BLOCK_TOKENS = BLOCK;

/** Who vouches for KV: what a snapshot says that it is concerns nobody but the session that came out of it. */
export type Origin = object;
/** It was run here. */
export const HERE: Origin = {};

export interface Block {
  /** Among which it is. */
  readonly siblings: Set<Block>;
  /** Only a block without children has fewer than BLOCK_TOKENS. */
  tokens: readonly number[];
  /** KV of these tokens after all those of the parents. */
  readonly bytes: Uint8Array;
  /** None has tokens that are the beginning of another's. */
  readonly children: Set<Block>;
}

/** The beginning of a token sequence, as far as it is there. */
export interface Found {
  /** From the first on; of the last one perhaps only the beginning agrees. */
  blocks: readonly Block[];
  length: number;
}

export class KvPool {
  readonly #blockBytes: number;
  #maxBlocks: number;
  readonly #roots = new WeakMap<Origin, Set<Block>>();
  /** Least recently used first, and children before their parents. */
  readonly #order = new Set<Block>();
  readonly #free: Uint8Array[] = [];

  /** @param budget bytes that all blocks may have */
  constructor(blockBytes: number, budget: number) {
    this.#blockBytes = blockBytes;
    this.#maxBlocks = Math.floor(budget / blockBytes);
  }

  /** Blocks that hold something. */
  get size(): number {
    return this.#order.size;
  }

  /** The longest beginning of `tokens` that is there; it counts as used. */
  find(tokens: readonly number[], origin: Origin): Found {
    const blocks: Block[] = [];
    let length = 0;
    for (let siblings = this.#rootsOf(origin); ; ) {
      const { block, common } = closest(siblings, tokens, length);
      if (!block) break;
      blocks.push(block);
      length += common;
      if (common < BLOCK_TOKENS) break;
      siblings = block.children;
    }
    this.#touch(blocks);
    return { blocks, length };
  }

  /**
   * Keeps the KV of `tokens`, or of as many from the first on as find room.
   * @param read writes the bytes of the block that begins with tokens[index * BLOCK_TOKENS] to `target`; only asked for what is new
   * @param needed the last result of find(), whose blocks are not given up for this
   */
  store(
    tokens: readonly number[],
    origin: Origin,
    read: (index: number, target: Uint8Array) => void,
    needed: Found = { blocks: [], length: 0 },
  ): void {
    const found = this.find(tokens, origin);
    if (found.length === tokens.length) return;
    const path = [...found.blocks];
    const part = found.length % BLOCK_TOKENS;
    const last = part > 0 ? path.pop() : undefined;
    const busy = new Set([...needed.blocks, ...path]);
    for (let index = path.length; index * BLOCK_TOKENS < tokens.length; index++) {
      const own = tokens.slice(index * BLOCK_TOKENS, (index + 1) * BLOCK_TOKENS);
      const grows = last?.tokens.length === part && index * BLOCK_TOKENS < found.length;
      const block = grows ? last : this.#add(path.at(-1)?.children ?? this.#rootsOf(origin), busy);
      if (!block) break;
      read(index, block.bytes);
      block.tokens = own;
      busy.add(block);
      path.push(block);
    }
    this.#touch(path);
  }

  /** Lets go of the KV of `tokens`, except for what is the beginning of others. */
  forget(tokens: readonly number[], origin: Origin): void {
    const { blocks, length } = this.find(tokens, origin);
    let end = blocks.reduce((sum, block) => sum + block.tokens.length, 0);
    for (const block of blocks.toReversed()) {
      if (block.children.size > 0 || end > length) break;
      this.#remove(block);
      end -= block.tokens.length;
    }
  }

  #rootsOf(origin: Origin): Set<Block> {
    const roots = this.#roots.get(origin) ?? new Set();
    this.#roots.set(origin, roots);
    return roots;
  }

  #touch(path: readonly Block[]): void {
    for (let i = path.length - 1; i >= 0; i--) {
      this.#order.delete(path[i]!);
      this.#order.add(path[i]!);
    }
  }

  /** A block without tokens, unless all others are busy. */
  #add(siblings: Set<Block>, busy: ReadonlySet<Block>): Block | undefined {
    const bytes = this.#buffer(busy);
    if (!bytes) return undefined;
    const block: Block = { siblings, tokens: [], bytes, children: new Set() };
    siblings.add(block);
    this.#order.add(block);
    return block;
  }

  #buffer(busy: ReadonlySet<Block>): Uint8Array | undefined {
    if (this.#free.length === 0 && this.size < this.#maxBlocks) {
      try {
        return new Uint8Array(this.#blockBytes);
      } catch {
        this.#maxBlocks = this.size; // there is no more memory than this
      }
    }
    if (this.#free.length === 0) {
      for (const block of this.#order) {
        if (busy.has(block)) continue;
        this.#remove(block);
        break;
      }
    }
    return this.#free.pop();
  }

  #remove(block: Block): void {
    this.#order.delete(block);
    block.siblings.delete(block);
    this.#free.push(block.bytes);
  }
}

/** The sibling that agrees most with tokens[start..]. */
function closest(siblings: ReadonlySet<Block>, tokens: readonly number[], start: number) {
  let best: { block: Block | undefined; common: number } = { block: undefined, common: 0 };
  for (const block of siblings) {
    let common = 0;
    while (common < block.tokens.length && block.tokens[common] === tokens[start + common]) common++;
    if (common > best.common) best = { block, common };
  }
  return best;
}
