// The tree of pages against a map of all that was added.

import fc from "fast-check";
import { expect, test } from "vitest";
import { HERE, type Node, PAGE_TOKENS, PageTree } from "../../../host/core/kv/page_tree";

/** Adds the pages of `tokens` from the first on; returns those of nodes that went for larger ones. */
function store(tree: PageTree, tokens: readonly number[], pages: { next: number }, origin = HERE): number[] {
  const path: Node[] = [];
  const gone: number[] = [];
  for (let start = 0; start < tokens.length; start += PAGE_TOKENS) {
    const { node, replaced } = tree.add(path, tokens.slice(start, start + PAGE_TOKENS), pages.next, origin);
    if (node.page === pages.next) pages.next++;
    if (replaced) gone.push(replaced.page);
    path.push(node);
  }
  return gone;
}

function common(a: readonly number[], b: readonly number[]): number {
  let length = 0;
  while (length < Math.min(a.length, b.length) && a[length] === b[length]) length++;
  return length;
}

/** Sequences of few kinds of runs, so that many begin alike and part anywhere. */
const sequence = fc
  .array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 40 })), { maxLength: 5 })
  .map((runs) => runs.flatMap(([token, length]) => Array<number>(length).fill(token)));

test("the longest common beginning is found, in the pages that were added for it", () => {
  fc.assert(
    fc.property(fc.array(sequence, { maxLength: 12 }), sequence, (stored, wanted) => {
      const tree = new PageTree();
      const pages = { next: 0 };
      for (const tokens of stored) store(tree, tokens, pages);
      for (const tokens of stored) expect(tree.find(tokens, HERE).length).toBe(tokens.length);
      const { nodes, length } = tree.find(wanted, HERE);
      expect(length).toBe(Math.max(0, ...stored.map((tokens) => common(tokens, wanted))));
      expect(nodes.length).toBe(Math.ceil(length / PAGE_TOKENS));
      expect(nodes.flatMap(({ tokens }) => tokens).slice(0, length)).toEqual(wanted.slice(0, length));
      const all = [...tree].map(({ page }) => page);
      expect(new Set(all).size).toBe(all.length);
    }),
    { numRuns: 500 },
  );
});

test("the least recently used comes first, and children before their parents", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), sequence), { maxLength: 20 }), (steps) => {
      const tree = new PageTree();
      const pages = { next: 0 };
      for (const [adds, tokens] of steps) {
        if (adds) store(tree, tokens, pages);
        else tree.find(tokens, HERE);
        const order = [...tree];
        const place = new Map(order.map((node, i) => [node, i]));
        for (const node of order)
          for (const child of node.children) expect(place.get(child)!).toBeLessThan(place.get(node)!);
        for (const node of order) if (node.children.size > 0) expect(node.tokens).toHaveLength(PAGE_TOKENS);
      }
      while (tree.size > 0) {
        const [oldest] = [...tree] as [Node];
        expect(oldest.children.size).toBe(0);
        tree.remove(oldest);
      }
    }),
    { numRuns: 200 },
  );
});

test("what begins alike is kept once, and a page that grows takes the place of what it was", () => {
  const tree = new PageTree();
  const pages = { next: 0 };
  const trunk = Array.from({ length: 5 * PAGE_TOKENS }, (_, i) => i);
  for (let i = 0; i < 20; i++) store(tree, [...trunk, 1000 + i], pages);
  expect(tree.size).toBe(5 + 20);
  const { nodes } = tree.find([...trunk, 1003], HERE);
  expect(store(tree, [...trunk, 1003, 7, 7], pages)).toEqual([nodes.at(-1)!.page]);
  expect(tree.size).toBe(25);
  expect(tree.find([...trunk, 1003, 7, 7, 7], HERE).length).toBe(trunk.length + 3);
});

test("what others vouch for stays apart", () => {
  const tree = new PageTree();
  const pages = { next: 0 };
  const other = {};
  store(tree, [1, 2, 3], pages, other);
  expect(tree.find([1, 2, 3], HERE).length).toBe(0);
  store(tree, [1, 2], pages);
  expect([tree.find([1, 2, 3], HERE).length, tree.find([1, 2, 3], other).length]).toEqual([2, 3]);
});
