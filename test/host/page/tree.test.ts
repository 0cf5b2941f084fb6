import fc from "fast-check";
import { expect, test } from "vitest";
import { add, branch, type Conversation, change, NOTHING, revived, show, versions } from "../../../host/page/chat/tree";

const said = (text: string) => ({ role: "user" as const, text });
const texts = (conversation: Conversation) => branch(conversation).map(({ text }) => text);

test("a message said again is another version; each has its own continuation", () => {
  const one = add(add(NOTHING, undefined, said("a")), 0, said("b"));
  const two = add(add(one, undefined, said("A")), 2, said("B"));
  expect(texts(two)).toEqual(["A", "B"]);
  expect(versions(two, two.messages[2]!).map(({ text }) => text)).toEqual(["a", "A"]);
  expect(texts(show(two, 0))).toEqual(["a", "b"]);
  expect(texts(change(two, 3, { text: "C" }))).toEqual(["A", "C"]);
  expect(texts(two)).toEqual(["A", "B"]);
});

test("whatever is edited, nothing gets lost, and every message can be shown", () => {
  const step = fc.record({ at: fc.nat(), text: fc.string(), again: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let conversation = NOTHING;
      steps.forEach(({ at, text, again }, count) => {
        const place = conversation.messages[at % (count || 1)];
        if (place) conversation = show(conversation, place.id);
        conversation = add(conversation, again ? place?.parent : conversation.leaf, said(text));
        expect(conversation.messages.map(({ text }) => text)).toEqual(
          steps.slice(0, count + 1).map(({ text }) => text),
        );
        expect(texts(conversation).at(-1)).toBe(text);
      });
      for (const { id } of conversation.messages) {
        const shown = branch(show(conversation, id));
        expect(shown.map((message) => message.id)).toContain(id);
        expect(conversation.messages.some(({ parent }) => parent === shown.at(-1)!.id)).toBe(false);
      }
      expect(revived(JSON.parse(JSON.stringify(conversation)))).toEqual(conversation);
    }),
  );
});

test("what was kept and is no conversation is none; a reply that was being written has stopped", () => {
  const message = { id: 0, role: "user", text: "a" };
  for (const kept of [undefined, null, 1, [], {}, { messages: {} }, { messages: [message], leaf: 5 }]) {
    expect(revived(kept)).toEqual(NOTHING);
  }
  for (const change of [{ id: 1 }, { parent: 0 }, { parent: -1 }, { role: "system" }, { text: 5 }]) {
    expect(revived({ messages: [{ ...message, ...change }], leaf: 0 })).toEqual(NOTHING);
  }
  const reply = { id: 1, parent: 0, role: "assistant", text: "b" };
  expect(revived({ messages: [message, reply], leaf: 1 }).messages[1]).toEqual({ ...reply, ended: "stopped" });
});
