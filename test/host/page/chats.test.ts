// Conversations that are kept, and what models are told of them.

import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { forgetChat, freshId, keepChat, keptChats, readChat, renameChat } from "../../../host/page/chat/kept_chats";
import { isCut, toMessages } from "../../../host/page/chat/to_messages";
import { add, type Conversation, type Message, NOTHING } from "../../../host/page/chat/tree";

/** A browser's storage that has room for so many characters. */
function storage(room = Infinity) {
  const values = new Map<string, string>();
  return {
    getItem: (name: string) => values.get(name) ?? null,
    removeItem: (name: string) => values.delete(name),
    setItem(name: string, value: string) {
      const others = [...values].filter(([other]) => other !== name).reduce((sum, [, { length }]) => sum + length, 0);
      if (others + value.length > room) throw new DOMException("full", "QuotaExceededError");
      values.set(name, value);
    },
  };
}

const said = (text: string): Conversation => add(NOTHING, undefined, { role: "user", text });
beforeEach(() => {
  vi.stubGlobal("localStorage", storage());
});
afterEach(() => {
  vi.unstubAllGlobals();
});

test("kept, listed with the newest first, named, forgotten", () => {
  expect(keptChats()).toEqual([]);
  expect(readChat("a")).toEqual(NOTHING);
  expect(keepChat("a", said("  One\n two "))).toBe(true);
  expect(keepChat("b", said("Three"))).toBe(true);
  expect(keptChats().map(({ id, name }) => [id, name])).toEqual([
    ["b", "Three"],
    ["a", "One two"],
  ]);
  renameChat("a", " First ");
  expect(keepChat("a", said("Another"))).toBe(true);
  expect(keptChats().map(({ name }) => name)).toEqual(["First", "Three"]);
  renameChat("a", " ");
  expect(keptChats()[0]!.name).toBe("Another");
  expect(readChat("b")).toEqual(said("Three"));
  forgetChat("b");
  expect(readChat("b")).toEqual(NOTHING);
  expect(keptChats().map(({ id }) => id)).toEqual(["a"]);
});

test("no room is told; a browser that keeps nothing is not", () => {
  vi.stubGlobal("localStorage", storage(200));
  expect(keepChat("a", said("x".repeat(300)))).toBe(false);
  expect(keptChats()).toEqual([]);
  vi.stubGlobal("localStorage", undefined);
  expect(keepChat("a", said("x"))).toBe(true);
  expect(keptChats()).toEqual([]);
});

test("whatever lies in the storage, there is a list", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      localStorage.setItem("zagreus-edge chat chats", text);
      localStorage.setItem("zagreus-edge chat chat a", text);
      for (const { id, name, at } of keptChats())
        expect([typeof id, typeof name, typeof at]).toEqual(["string", "string", "number"]);
      expect(Array.isArray(readChat("a").messages)).toBe(true);
    }),
  );
  expect(new Set(Array.from({ length: 100 }, freshId)).size).toBe(100);
});

test("calls that were never made are not told; what was cut can be gone on with", () => {
  const call = (id: string) => ({ id, type: "function" as const, function: { name: "a", arguments: "{}" } });
  const message = (role: Message["role"], more: Partial<Message>) => ({
    id: 0,
    parent: undefined,
    role,
    text: "t",
    ...more,
  });
  const told = toMessages(
    [
      message("user", {}),
      message("assistant", { text: "", calls: [call("1"), call("2")] }),
      message("tool", { callId: "1", name: "a" }),
      message("assistant", { text: "", calls: [call("3")] }),
    ],
    "be brief",
  );
  expect(told).toEqual([
    { role: "system", content: "be brief" },
    { role: "user", content: "t" },
    { role: "assistant", content: null, tool_calls: [call("1")] },
    { role: "tool", content: "t", tool_call_id: "1", name: "a" },
    { role: "assistant", content: "" },
  ]);
  expect(isCut(message("assistant", { ended: "length" }))).toBe(true);
  expect(isCut(message("assistant", { ended: "stop" }))).toBe(false);
  expect(isCut(message("assistant", { ended: "stopped", text: "" }))).toBe(false);
  expect(isCut(message("assistant", { ended: "stopped", calls: [call("1")] }))).toBe(false);
  expect(isCut(message("user", {}))).toBe(false);
});
