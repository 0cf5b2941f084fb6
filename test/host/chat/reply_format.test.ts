import { expect, test } from "vitest";
import type { ResponseFormat, Tool } from "../../../host/core/api/api";
import { replyFormat as steps } from "../../../host/core/chat/reply_format";
import { finish } from "../../../host/core/grammar/index";
import { caught } from "../../support/nano";

const tool = (name: string, parameters?: object): Tool => ({
  type: "function",
  function: { name, parameters } as never,
});
const TOOLS = [tool("get_weather", { properties: { city: { const: "Roma" } }, required: ["city"] }), tool("now")];
const use = (tools: readonly Tool[] = TOOLS, rest = {}) => ({ tools, optional: true, parallel: true, ...rest });
const replyFormat = (...args: Parameters<typeof steps>) => finish(steps(...args)).format;
const JSON_FORMATS: ResponseFormat[] = [{ type: "json_object" }, { type: "json_schema", schema: { type: "integer" } }];

/** The rules that a format's grammar begins with. */
function rules(format: ResponseFormat | undefined): string[] {
  expect(format?.type).toBe("grammar");
  return (format as { grammar: string }).grammar.split("\n");
}

test("without tools it is what it was", () => {
  for (const format of [undefined, { type: "text" } as const, ...JSON_FORMATS]) {
    expect(replyFormat(use([]), format)).toBe(format);
  }
});

test("by choice, a grammar begins where a call does", () => {
  for (const text of [undefined, { type: "text" } as const]) {
    const format = replyFormat(use(), text);
    expect(format).toMatchObject({ trigger: "<tool_call>" });
    expect(rules(format).slice(0, 2)).toEqual(["root ::= calls", 'calls ::= call ("\\n" call)*']);
  }
});

test("a call that is demanded is the whole text, whatever else was wanted", () => {
  for (const wanted of [undefined, ...JSON_FORMATS]) {
    const format = replyFormat(use(TOOLS, { optional: false, parallel: false }), wanted);
    expect(format).not.toHaveProperty("trigger");
    expect(rules(format).slice(0, 2)).toEqual(["root ::= calls", "calls ::= call"]);
  }
});

test.each(JSON_FORMATS)("by choice beside $type, the text is one of both", (wanted) => {
  const format = replyFormat(use(), wanted);
  expect(format).not.toHaveProperty("trigger");
  expect(rules(format)[0]).toBe("root ::= calls | answer");
  expect(rules(format).some((rule) => rule.startsWith("answer ::="))).toBe(true);
});

test("every tool has its name and the rules of its arguments", () => {
  const written = rules(replyFormat(use(), undefined));
  expect(written[2]).toBe('call ::= "<tool_call>\\n{\\"name\\": \\"" (tool-0 | tool-1) "}\\n</tool_call>"');
  expect(written).toContain('tool-0 ::= "get_weather\\", \\"arguments\\": " arguments-0');
  for (const i of [0, 1]) expect(written.filter((rule) => rule.startsWith(`arguments-${i} ::=`))).toHaveLength(1);
});

test("a tool whose parameters cannot be guaranteed is left out and named; where none is left, the reply is refused", async () => {
  const broken = tool("broken", { properties: { x: { $ref: "#/nowhere" } } });
  const error = expect.objectContaining({
    code: "BAD_SCHEMA",
    field: "#/properties/x/$ref",
    message: expect.stringMatching(/^parameters of the tool "broken": /),
  });
  const { format, refused } = finish(steps(use([broken, ...TOOLS]), undefined));
  expect(refused).toEqual([{ name: "broken", error }]);
  expect(rules(format)[2]).toContain("(tool-0 | tool-1)");
  expect(rules(format).some((rule) => rule.includes("broken"))).toBe(false);
  expect(await caught(() => replyFormat(use([broken]), undefined))).toEqual(error);
});
