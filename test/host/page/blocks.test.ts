import fc from "fast-check";
import { expect, test } from "vitest";
import { type Blocks, EMPTY, grow, last } from "../../../host/page/text/blocks";

const blocksOf = (text: string) => {
  const blocks = grow(EMPTY, text);
  return [...blocks.done, last(blocks)];
};

test("blocks are what Markdown has: paragraphs, lists, code, tables", () => {
  const text = "# A\n\none\ntwo\n\n- a\n- b\n\n```\nc\n\nd\n```\n\n| a |\n|---|\n| b |\n\nend";
  expect(blocksOf(text).map((block) => block.trim().split("\n")[0])).toEqual([
    "# A",
    "one",
    "- a",
    "```",
    "| a |",
    "end",
  ]);
  expect(blocksOf("")).toEqual([""]);
  expect(blocksOf("a\r\n\r\nb")).toEqual(["a\n\n", "b"]);
});

const line = fc.constantFrom(
  ...[
    "text",
    "**bold",
    "# head",
    "- item",
    "  - inner",
    "1. one",
    "> quote",
    "```",
    "~~~js",
    "| a | b |",
    "|---|---|",
    "---",
  ],
  ...["", "", "", "    code", "<div>", "</div>", "[a]: https://x", "\\", "*", "`", "===", "\t", "\u00a0"],
);
const markdown = fc.array(line, { maxLength: 30 }).map((lines) => lines.join("\n"));

test("however a text comes, it is its blocks put together, and what has ended stays", () => {
  fc.assert(
    fc.property(markdown, fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 }), (text, sizes) => {
      let blocks: Blocks = EMPTY;
      for (let at = 0, i = 0; at < text.length; i++) {
        at += sizes[i % sizes.length]!;
        const next = grow(blocks, text.slice(0, at));
        expect(next.done.slice(0, blocks.done.length)).toEqual(blocks.done);
        expect([...next.done, last(next)].join("")).toBe(text.slice(0, at));
        blocks = next;
      }
    }),
  );
});

test("another text begins anew", () => {
  const { done } = grow(grow(EMPTY, "a\n\nb\n\nc"), "x\n\ny");
  expect(done).toEqual(["x\n\n"]);
});
