// What is in the pages that no sequence runs on, and in those that several may read: a tree of token blocks, so that what begins alike is
// kept once (as in SGLang's RadixAttention, https://arxiv.org/abs/2312.07104). It knows tokens and the numbers of pages, no bytes.

import { BLOCK } from "../../../assembly/layout/kv.js";

/** Tokens of a page. */
export const PAGE_TOKENS = BLOCK;

/** Who vouches for KV: what a snapshot says that it is concerns nobody but the session that came out of it. */
export interface Origin {
  /** What names it in another process, too: the adapters and the salt that it was run here with. A snapshot has no name. */
  readonly name?: string;
}
/** It was run here, without adapters and salt. */
export const HERE: Origin = { name: '["",null]' };

/** The page of some tokens, after all those of its parents. */
export interface Node {
  /** Among which it is. */
  readonly siblings: Set<Node>;
  /** PAGE_TOKENS, of a leaf perhaps fewer. */
  readonly tokens: readonly number[];
  readonly page: number;
  /** None has tokens that are the beginning of another's. */
  readonly children: Set<Node>;
}

/** The beginning of a token sequence, as far as it is there. */
export interface Found {
  /** From the first on; of the last one perhaps only the beginning agrees. */
  nodes: readonly Node[];
  length: number;
}

export class PageTree {
  readonly #roots = new WeakMap<Origin, Set<Node>>();
  /** Least recently used first, and children before their parents. */
  readonly #order = new Set<Node>();

  get size(): number {
    return this.#order.size;
  }

  /** All nodes, least recently used first. */
  [Symbol.iterator](): Iterator<Node> {
    return this.#order.values();
  }

  /** The longest beginning of `tokens` that is there; it counts as used. */
  find(tokens: readonly number[], origin: Origin): Found {
    const nodes: Node[] = [];
    let length = 0;
    for (let siblings = this.#rootsOf(origin); ; ) {
      const { node, common } = closest(siblings, tokens, length);
      if (!node) break;
      nodes.push(node);
      length += common;
      if (common < PAGE_TOKENS) break;
      siblings = node.children;
    }
    for (const node of nodes.toReversed()) {
      this.#order.delete(node);
      this.#order.add(node);
    }
    return { nodes, length };
  }

  /**
   * Adds the page of `tokens`, at most PAGE_TOKENS, behind those of `path`.
   * @returns the node that has them now: another one where there was one already; and one whose tokens are the beginning of these, and
   * which is out of the tree now
   */
  add(path: readonly Node[], tokens: readonly number[], page: number, origin: Origin): { node: Node; replaced?: Node } {
    const siblings = path.at(-1)?.children ?? this.#rootsOf(origin);
    const { node: nearest, common } = closest(siblings, tokens, 0);
    if (nearest && common === tokens.length) return { node: nearest };
    const node: Node = { siblings, tokens, page, children: new Set() };
    const replaced = nearest && common === nearest.tokens.length ? nearest : undefined;
    if (replaced) this.remove(replaced);
    siblings.add(node);
    this.#order.add(node);
    for (const parent of path.toReversed()) {
      this.#order.delete(parent);
      this.#order.add(parent);
    }
    return { node, ...(replaced && { replaced }) };
  }

  /** Takes out a node without children. */
  remove(node: Node): void {
    this.#order.delete(node);
    node.siblings.delete(node);
  }

  #rootsOf(origin: Origin): Set<Node> {
    const roots = this.#roots.get(origin) ?? new Set();
    this.#roots.set(origin, roots);
    return roots;
  }
}

/** The sibling that agrees most with tokens[start..]. */
function closest(siblings: ReadonlySet<Node>, tokens: readonly number[], start: number) {
  let best: { node: Node | undefined; common: number } = { node: undefined, common: 0 };
  for (const node of siblings) {
    let common = 0;
    while (common < node.tokens.length && node.tokens[common] === tokens[start + common]) common++;
    if (common > best.common) best = { node, common };
  }
  return best;
}
