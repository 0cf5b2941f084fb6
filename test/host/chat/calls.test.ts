import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ToolCallDelta } from "../../../host/core/api/api";
import { CallParser } from "../../../host/core/chat/calls";

interface Read {
  text: string;
  calls: [name: string, args: string][];
  complete: boolean;
}

/** What the parser makes of text that comes in pieces. */
function read(pieces: readonly string[]): Read {
  const parser = new CallParser();
  const parsed = [...pieces.map((piece) => parser.push(piece)), parser.finish()];
  const calls: [string, string][] = [];
  for (const { index, id, type, function: f } of parsed.flatMap(({ toolCalls }): ToolCallDelta[] => toolCalls)) {
    if (id === undefined) calls[index]![1] += f.arguments;
    else {
      expect({ id, type, index }).toEqual({
        id: expect.stringMatching(/^call_\w{24}$/),
        type: "function",
        index: calls.length,
      });
      calls.push([f.name!, f.arguments]);
    }
  }
  return { text: parsed.map(({ text }) => text).join(""), calls, complete: parser.complete };
}

const call = (body: string) => `<tool_call>\n${body}\n</tool_call>`;
const ROMA = call('{"name": "get_weather", "arguments": {"city": "Roma"}}');
const roma: [string, string] = ["get_weather", '{"city": "Roma"}'];
const TRICKY = '{"a": "}</tool_call>\\"\\\\", "b": [{"c": {}}, "{"]}';

const READ: [string, string, Read][] = [
  ["no call", "Ciao < a <tool> b", { text: "Ciao < a <tool> b", calls: [], complete: false }],
  ["nothing", "", { text: "", calls: [], complete: false }],
  ["white space", " \n", { text: " \n", calls: [], complete: false }],
  ["a call", ROMA, { text: "", calls: [roma], complete: true }],
  ["a call after text", `Let me see.\n${ROMA}`, { text: "Let me see.", calls: [roma], complete: true }],
  ["text around a call", `a\n${ROMA}\n b `, { text: "a\n b ", calls: [roma], complete: true }],
  ["parallel calls", `${ROMA}\n${ROMA}${ROMA}\n`, { text: "", calls: [roma, roma, roma], complete: true }],
  [
    "braces and tags in strings",
    call(`{"name":"f","arguments":${TRICKY}}`),
    { text: "", calls: [["f", TRICKY]], complete: true },
  ],
  [
    "another order",
    call('{"arguments": {"x": 1}, "name": "f"}'),
    { text: "", calls: [["f", '{"x":1}']], complete: true },
  ],
  [
    "arguments as a string",
    call('{"name": "f", "arguments": "{}"}'),
    { text: "", calls: [["f", "{}"]], complete: true },
  ],
  ...[
    call("{}"),
    call("not JSON"),
    call('{"name": "f", "arguments": []}'),
    call('{"name": "two words", "arguments": "x"}'),
    call('{"name": 5, "arguments": {}}'),
    "<tool_call>",
    '<tool_call>\n{"name": "f", "argum',
    "a <tool_ca",
  ].map((text): [string, string, Read] => [`no call, but text: ${text}`, text, { text, calls: [], complete: false }]),
  [
    "a call behind one that never ended",
    `<tool_call> oh ${ROMA}`,
    { text: "<tool_call> oh ", calls: [roma], complete: true },
  ],
  [
    "a call that is cut in its arguments",
    '<tool_call>{"name": "f", "arguments": {"x": [1',
    { text: "", calls: [["f", '{"x": [1']], complete: false },
  ],
  [
    "a call that is cut in its end",
    '<tool_call>{"name": "f", "arguments": {}}\n</tool',
    { text: "", calls: [["f", "{}"]], complete: true },
  ],
  [
    "more than a call",
    call('{"name": "f", "arguments": {}, "more": 1}'),
    { text: ', "more": 1}\n</tool_call>', calls: [["f", "{}"]], complete: true },
  ],
];

test.each(READ)("%s", (_, text, expected) => {
  expect(read([text])).toEqual(expected);
  expect(read([...text])).toEqual(expected);
});

test("the pieces do not matter", () => {
  const part = fc.constantFrom(
    ROMA,
    "<tool_call>",
    "</tool_call>",
    "{",
    '"',
    "}",
    "\n",
    " ",
    "a",
    "<",
    TRICKY,
    '"name"',
    ":",
  );
  const cut = (text: string, at: readonly number[]) => {
    const cuts = [0, ...[...at].map((share) => Math.floor(share * text.length)).sort((a, b) => a - b), text.length];
    return cuts.slice(1).map((end, i) => text.slice(cuts[i], end));
  };
  const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), shares, (parts, at) => {
      const text = parts.join("");
      expect(read(cut(text, at))).toEqual(read([text]));
    }),
    { numRuns: 500 },
  );
});

describe("a call streams", () => {
  test("its name first, then its arguments as they come", () => {
    const parser = new CallParser();
    const deltas = [
      "Hm",
      "\n<tool",
      '_call>\n{"name": "f",',
      ' "arguments": ',
      "{",
      '"x"',
      ": 1",
      "}}",
      "\n</tool_call>",
    ].map((piece) => {
      const { text, toolCalls } = parser.push(piece);
      return toolCalls.length > 0 ? toolCalls.map((delta) => [delta.function.name, delta.function.arguments]) : text;
    });
    expect(deltas).toEqual([
      "Hm",
      "",
      "",
      "",
      [["f", "{"]],
      [[undefined, '"x"']],
      [[undefined, ": 1"]],
      [[undefined, "}"]],
      "",
    ]);
  });
});
