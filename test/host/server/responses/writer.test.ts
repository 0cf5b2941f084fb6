// Whatever a chat says, and wherever it ends: the events come in order, and the last one has what they have told.

import fc from "fast-check";
import { expect, test } from "vitest";
import { type ApiEvent, type ApiResponse, ResponseWriter } from "../../../../host/core/server/responses/writer";
import { checkResponseEvents } from "./response_events.mjs";

const empty = (): ApiResponse => ({
  ...{ id: "resp_1", object: "response", created_at: 1, status: "in_progress" as const, output: [] },
  ...{ error: null, incomplete_details: null, usage: null, previous_response_id: null },
});
const usage = {
  ...{ input_tokens: 3, input_tokens_details: { cached_tokens: 1 }, output_tokens: 2, total_tokens: 5 },
  output_tokens_details: { reasoning_tokens: 0 },
};

const step = fc.oneof(
  fc.record({ text: fc.string() }),
  fc.record({ name: fc.constantFrom("a", "b"), more: fc.constantFrom("", "{", '{"x":1}') }),
  fc.record({ more: fc.string() }),
);
const end = fc.constantFrom("whole", "cut", "failed");

test("in order", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), end, (steps, how) => {
      const writer = new ResponseWriter(empty());
      const events: ApiEvent[] = [...writer.begin()];
      let index = -1;
      let said = "";
      for (const step of steps) {
        if ("text" in step) {
          said += step.text;
          events.push(...writer.text(step.text, []));
        } else if ("name" in step) {
          const first = { index: ++index, id: `call_${index}`, type: "function" as const };
          events.push(...writer.call({ ...first, function: { name: step.name, arguments: step.more } }));
        } else events.push(...writer.call({ index, function: { arguments: step.more } }));
      }
      events.push(...(how === "failed" ? writer.fail("x", "y") : writer.end(how === "cut", usage)));
      const plain: ApiEvent[] = JSON.parse(JSON.stringify(events));
      const { output } = checkResponseEvents(plain);
      const texts = output.flatMap((item: { content?: { text: string }[] }) => item.content ?? []);
      expect(texts.map(({ text }: { text: string }) => text).join("")).toBe(said);
      // Every way to lose one of them is noticed, but for what need not be there.
      if (how === "failed") return; // in the middle of anything
      for (const [lost, event] of plain.entries()) {
        if (/delta/.test(event.type) && !event.delta) continue;
        const others = plain.filter((_, i) => i !== lost).map((other, i) => ({ ...other, sequence_number: i }));
        expect(() => checkResponseEvents(others), event.type).toThrow();
      }
    }),
    { numRuns: 200 },
  );
});

test("a failure before anything is said has a beginning", () => {
  const { error } = checkResponseEvents([...new ResponseWriter(empty()).fail("server_error", "gone")]);
  expect(error).toEqual({ code: "server_error", message: "gone" });
});
