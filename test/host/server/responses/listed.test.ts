// Lists of input items, page by page.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { Item } from "../../../../host/core/server/responses/input";
import { listed, pageOf } from "../../../../host/core/server/responses/listed";

const ITEMS: Item[] = [
  { type: "message", role: "user", content: "Che tempo fa?" },
  { type: "function_call", call_id: "1", name: "weather", arguments: "{}" },
  { type: "function_call_output", call_id: "1", output: "sole" },
  { type: "message", role: "assistant", content: "Sole." },
];

test("items have an id, and the form of what is sent", () => {
  expect(listed("resp_a", ITEMS)).toEqual([
    {
      ...{ id: "msg_0_a", type: "message", role: "user", status: "completed" },
      content: [{ type: "input_text", text: "Che tempo fa?" }],
    },
    { id: "fc_1_a", type: "function_call", call_id: "1", name: "weather", arguments: "{}", status: "completed" },
    { id: "fco_2_a", type: "function_call_output", call_id: "1", output: "sole", status: "completed" },
    {
      ...{ id: "msg_3_a", type: "message", role: "assistant", status: "completed" },
      content: [{ type: "output_text", text: "Sole.", annotations: [] }],
    },
  ]);
});

test("pages of any size make the whole list, in both orders", () => {
  interface Page {
    data: { id: string }[];
    last_id: string | null;
    has_more: boolean;
  }
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 30 }),
      fc.integer({ min: 1, max: 100 }),
      fc.constantFrom("asc", "desc", undefined),
      (count, limit, order) => {
        const all = listed("resp_a", Array(count).fill(ITEMS[0]));
        const ids: string[] = [];
        for (let after: string | undefined; ; ) {
          const query = { limit: String(limit), ...(order && { order }), ...(after && { after }) };
          const page = pageOf(all, query) as Page;
          ids.push(...page.data.map(({ id }) => id));
          if (!page.has_more) break;
          after = page.last_id!;
        }
        const wanted = all.map(({ id }) => id);
        expect(ids).toEqual(order === "asc" ? wanted : wanted.reverse());
      },
    ),
  );
  expect(pageOf([], {})).toEqual({ object: "list", data: [], first_id: null, last_id: null, has_more: false });
});

test.each([
  ["limit", { limit: "101" }],
  ["limit", { limit: "many" }],
  ["order", { order: "up" }],
  ["after", { after: "msg_9" }],
])("%s: refused", (name, query) => {
  expect(() => pageOf(listed("resp_a", ITEMS), query)).toThrow(name);
});
