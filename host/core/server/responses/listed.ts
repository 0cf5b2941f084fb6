// Items of an input as GET /v1/responses/ID/input_items lists them.

import * as z from "zod";
import { badRequest } from "../http/errors.js";
import { optional, parse } from "../openai/fields.js";
import type { Item } from "./input.js";

/** An item with an id, which is the same whenever it is asked for. */
export type ListedItem = { id: string; type: string } & Record<string, unknown>;

const PREFIX = { message: "msg", function_call: "fc", function_call_output: "fco" };

/** @param response id of the response that answers them */
export function listed(response: string, items: readonly Item[]): ListedItem[] {
  return items.map((item, i) => {
    const id = `${PREFIX[item.type]}_${i}_${response.replace(/^resp_/, "")}`;
    if (item.type !== "message") return { id, ...item, status: "completed" };
    const { type, role, content: text } = item;
    const part = role === "assistant" ? { type: "output_text", text, annotations: [] } : { type: "input_text", text };
    return { id, type, role, content: [part], status: "completed" };
  });
}

const query = z.object({
  limit: optional(z.coerce.number().int().min(1).max(100)),
  order: optional(z.enum(["asc", "desc"])),
  after: optional(z.string()),
});

/** The items that a query asks for, the last ones first unless it says otherwise. @throws ApiError 400 */
export function pageOf(items: readonly ListedItem[], asked: Record<string, string>): object {
  const { limit = 20, order = "desc", after } = parse(query, asked);
  const ordered = order === "asc" ? items : items.toReversed();
  const start = after === undefined ? 0 : ordered.findIndex(({ id }) => id === after) + 1;
  if (after !== undefined && start === 0) throw badRequest(`after: there is no item ${JSON.stringify(after)}`, "after");
  const data = ordered.slice(start, start + limit);
  const has_more = start + limit < ordered.length;
  return { object: "list", data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more };
}
