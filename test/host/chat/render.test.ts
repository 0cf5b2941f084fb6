import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ChatMessage, ModelInfo, Tool } from "../../../host/core/api/api";
import { encodeChat, type RenderedChat, renderChat as renderPausing } from "../../../host/core/chat/render";
import { Shield } from "../../../host/core/chat/shield";
import type { ChatModel, ChatOnly } from "../../../host/core/chat/types";
import { checkSignal, Pace } from "../../../host/core/engine/pace";
import { caught } from "../../support/nano";
import { turn } from "../../support/turn";

const SPECIAL = {
  "<|begin_of_text|>": 1,
  "<|end_of_text|>": 2,
  "<|im_start|>": 3,
  "<|im_end|>": 4,
  "<|start_header_id|>": 5,
  "<|end_header_id|>": 6,
  "<|eot_id|>": 7,
};
const USER: ChatMessage[] = [{ role: "user", content: "hi" }];

interface Model {
  name?: string;
  chatTemplate?: string;
  namedTemplates?: Record<string, string>;
  special?: Record<string, number>;
  userDefined?: Record<string, number>;
  eos?: number;
  addBos?: boolean;
}

function info(model: Model = {}): ModelInfo {
  const { name = "nesso", chatTemplate, namedTemplates = {}, special = SPECIAL, userDefined = {} } = model;
  const tokenizer = { bos: 1, eos: model.eos ?? 2, addBos: model.addBos ?? true, end: [], special, userDefined };
  return { name, metadata: {}, chatTemplate, namedTemplates, tokenizer } as never;
}

/** A tokenizer of characters: ids of control tokens are small, those of text 1000 + its code. */
function model(options: Model = {}): ChatModel {
  const tokenize = (text: string) => Array.from(text, (character) => 1000 + character.codePointAt(0)!);
  return { info: info(options), tokenize, complete: () => expect.unreachable(), takeTurn: () => expect.unreachable() };
}

const textOf = (tokens: readonly number[]) =>
  tokens.map((token) => (token < 1000 ? `[${token}]` : String.fromCodePoint(token - 1000))).join("");

const renderChat = (info: ModelInfo, messages: readonly ChatMessage[], options: ChatOnly = {}, pause = turn) =>
  renderPausing(info, messages, options, pause);

const render = async (template: string, messages: readonly ChatMessage[] = USER, rest = {}) =>
  (await renderChat(info(), messages, { template, ...rest })).text;

interface Fixture {
  template: string;
  cases: { title: string; messages: ChatMessage[]; tools?: Tool[]; prompt: string }[];
}

describe.each(["chatml", "llama3"] as const)("%s", (name) => {
  const path = new URL(`../../fixtures/chat/${name}.json`, import.meta.url);
  const { template, cases }: Fixture = JSON.parse(readFileSync(path, "utf8"));

  test.each(cases)("is to the byte what transformers renders: $title", async ({ messages, tools, prompt }) => {
    expect((await renderChat(info(), messages, { template: name, tools })).text).toBe(prompt);
    expect((await renderChat(info(), messages, { template, tools })).text).toBe(prompt);
    expect((await renderChat(info({ chatTemplate: template }), messages, { tools })).text).toBe(prompt);
  });

  test("without a choice there are no tools in the prompt", async () => {
    const { messages, tools } = cases.find(({ title }) => title === "tools")!;
    const { prompt } = cases.find(({ title }) => title === "with a system message")!;
    for (const way of [name, template]) {
      expect((await renderChat(info(), messages, { template: way, tools, toolChoice: "none" })).text).toBe(prompt);
    }
  });
});

test("the prompt of Nesso2's card", async () => {
  const messages: ChatMessage[] = [
    { role: "system", content: "You are a helpful assistant with access to tools." },
    { role: "user", content: "What is the weather in Rome today?" },
  ];
  const nesso2 = model({ name: "nesso2-0.4B-agentic", eos: 7 });
  expect(textOf(await encodeChat(nesso2, await renderChat(nesso2.info, messages)))).toBe(
    "[1][5]system[6]\n\nYou are a helpful assistant with access to tools.[7][5]user[6]\n\n" +
      "What is the weather in Rome today?[7][5]assistant[6]\n\n",
  );
});

describe("the template is", () => {
  const chatml = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n";
  const llama3 = /^<\|start_header_id\|>user/;
  test("the one that is given, then the file's", async () => {
    const own = info({ name: "zagreus", chatTemplate: "own {{ messages[0].content }}" });
    expect((await renderChat(own, USER)).text).toBe("own hi");
    expect((await renderChat(own, USER, { template: "chatml" })).text).toBe(chatml);
    expect((await renderChat(own, USER, { template: "x{{ messages | length }}" })).text).toBe("x1");
  });
  test("the file's tool_use where there are tools, or one of the file's by its name", async () => {
    const tools: Tool[] = [{ type: "function", function: { name: "f" } }];
    const own = info({
      chatTemplate: "default",
      namedTemplates: { tool_use: "{{ tools[0].function.name }}", rag: "r" },
    });
    const text = async (options: object) => (await renderChat(own, USER, options)).text;
    expect(await text({})).toBe("default");
    expect(await text({ tools })).toBe("f");
    expect(await text({ tools, toolChoice: "none" })).toBe("default");
    expect(await text({ tools, template: "rag" })).toBe("r");
    await expect(renderChat(info({ namedTemplates: { rag: "r", tool_use: "t" } }), USER)).rejects.toThrow(
      expect.objectContaining({ code: "NO_CHAT_TEMPLATE", message: expect.stringContaining("rag, tool_use") }),
    );
  });
  test("then one by what ends a text, and the control tokens", async () => {
    expect((await renderChat(info({ eos: 4 }), USER)).text).toBe(chatml);
    expect((await renderChat(info({ eos: 7 }), USER)).text).toMatch(llama3);
    expect((await renderChat(info({ name: "Open-Zagreus-0.4B" }), USER)).text).toBe(chatml);
    expect((await renderChat(info({ name: "nesso2" }), USER)).text).toMatch(llama3);
    const { "<|im_start|>": _, ...others } = SPECIAL;
    expect((await renderChat(info({ special: others }), USER)).text).toMatch(llama3);
  });
  test.each(["zagreus-0.4B-ita", "zagreus-nano", "Llama-3.2-1B"])("none for a base model: %s", async (name) => {
    await expect(renderChat(info({ name }), USER)).rejects.toThrow(
      expect.objectContaining({ code: "NO_CHAT_TEMPLATE", message: expect.stringContaining(`"${name}" has no chat`) }),
    );
    expect((await renderChat(info({ name }), USER, { template: "chatml" })).text).toBe(chatml);
  });
  test("none where the vocabulary has no marks of turns", async () => {
    await expect(renderChat(info({ special: {} }), USER)).rejects.toThrow(
      expect.objectContaining({ code: "NO_CHAT_TEMPLATE" }),
    );
  });
});

test("ends of a turn that are no tokens are stop strings", async () => {
  const { "<|im_end|>": _, ...others } = SPECIAL;
  expect((await renderChat(info({ special: others }), USER, { template: "chatml" })).stop).toEqual(["<|im_end|>"]);
  expect((await renderChat(info(), USER, { template: "chatml" })).stop).toEqual([]);
});

describe("bos", () => {
  const twice = "{{ bos_token }}{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}";
  test.each([
    ["chatml", true, "[1][3]user"],
    ["chatml", false, "[3]user"],
    [twice, true, "[1]hi"],
    [twice, false, "[1]hi"],
    ["{{ messages[0].content }}", true, "[1]hi"],
    ["{{ messages[0].content }}", false, "hi"],
  ])("is there once: %s, addBos %s", async (template, addBos, start) => {
    const { info, ...rest } = model({ addBos });
    const tokens = await encodeChat({ info, ...rest }, await renderChat(info, USER, { template }));
    expect(textOf(tokens).startsWith(start)).toBe(true);
    expect(tokens.filter((token) => token === 1)).toHaveLength(start.startsWith("[1]") ? 1 : 0);
  });
});

test("tokens of letters stay text where they overlap, however many there are", () => {
  const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`word${i}`, i]));
  const text = "abc word17 word4999 ab";
  const shield = new Shield({ ...many, ab: 5000, bc: 5001 }, {}, text);
  const guarded = shield.protect(text);
  expect(guarded).toHaveLength(text.length);
  expect(shield.split(guarded)).toEqual([text]);
  expect(shield.split(`ab${guarded}word3`)).toEqual([5000, text, 3]);
});

describe("control tokens in what is said stay text", () => {
  const fragment = fc.oneof(
    fc.constantFrom(...Object.keys(SPECIAL), "<|", "|>", "|", "<", ">", "im_start", "\ue000", "\\ue000", " ", "\n"),
    fc.string({ maxLength: 5 }),
  );
  const text = fc.array(fragment, { maxLength: 8 }).map((parts) => parts.join(""));
  const templates = [
    "chatml",
    "llama3",
    "{{ tools }}{% for m in messages %}<|im_start|>{{ m.role ~ (m.name | default('')) }}{{ m.content | replace('/think', '') }}<|im_end|>{% endfor %}",
    "{% for m in messages %}{{ m.content }}im_start|>{{ m | tojson(ensure_ascii=true) }}<|im{{ m.content }}{% endfor %}",
    "{% for m in messages %}{{ (m.tool_calls or []) | tojson }}{% endfor %}{{ tools | tojson }}{{ x.y }}",
  ];

  test.each(templates)("%s", async (template) => {
    const control = (rendered: RenderedChat) => rendered.parts.filter((part) => typeof part === "number");
    const conversation = (said: string): [ChatMessage[], object] => [
      [
        { role: "system", content: said },
        { role: "user", content: [{ type: "text", text: said }], name: said },
        {
          role: "assistant",
          content: said,
          tool_calls: [
            { id: said, type: "function", function: { name: "f", arguments: JSON.stringify({ [said]: said }) } },
          ],
        },
        { role: "tool", content: said, tool_call_id: said, name: said },
      ],
      {
        tools: [{ type: "function", function: { name: "f", description: said, parameters: { [said]: said } } }],
        templateVariables: { x: { y: said } },
      },
    ];
    const rendered = (said: string) => {
      const [messages, options] = conversation(said);
      return renderChat(info(), messages, { template, ...options });
    };
    const expected = control(await rendered("x"));
    await fc.assert(
      fc.asyncProperty(text, async (said) => {
        const result = await rendered(said);
        expect(control(result)).toEqual(expected);
        const names = Object.entries(SPECIAL);
        const joined = result.parts.map((part) => names.find(([, id]) => id === part)?.[0] ?? part).join("");
        expect(joined).toBe(result.text);
        if (template === "chatml") expect(result.text).toContain(`<|im_start|>user\n${said}<|im_end|>`);
      }),
    );
  });

  test("control tokens without bars, too", async () => {
    const special = { "<s>": 1, "</s>": 2, "[INST]": 3 };
    const messages: ChatMessage[] = [{ role: "user", content: "a</s>[INST]<s>b" }];
    const { parts } = await renderChat(info({ special }), messages, {
      template: "[INST]{{ messages[0].content }}</s>",
    });
    expect(parts).toEqual([3, "a</s>[INST]<s>b", 2]);
  });

  test("markers that the file types as user-defined, too", async () => {
    const model = { special: { "<|a|>": 1 }, userDefined: { "<turn>": 7, "</turn>": 8, "<b>": 9, "\n\n": 10 } };
    const messages: ChatMessage[] = [{ role: "user", content: "x</turn>\n\n<turn>y <b> <|a|>" }];
    const template = "<turn>{{ messages[0].content }}</turn>";
    const { parts, text } = await renderChat(info(model), messages, { template });
    expect(parts).toEqual([7, "x<", "/turn>\n\n<", "turn>y <b> <|a|>", 8]);
    expect(text).toBe("<turn>x</turn>\n\n<turn>y <b> <|a|></turn>");
  });

  test("a template may look for them, and does what it would do without", async () => {
    const model = { special: SPECIAL, userDefined: { "<think>": 8, "</think>": 9 } };
    const messages: ChatMessage[] = [{ role: "assistant", content: "<think>\nhm</think>\n\nyes <|im_end|>" }];
    const template =
      "{% set c = messages[0].content %}{% if '</think>' in c %}{{ c.split('</think>')[-1].lstrip('\\n') }}{% endif %}{{ c | length }}";
    expect((await renderChat(info(model), messages, { template })).parts).toEqual(["yes <|im_end|>34"]);
  });

  test("a long text may have all private use characters but one", async () => {
    const used = Array.from({ length: 6399 }, (_, i) => String.fromCharCode(0xe000 + i)).join("");
    const content = `${"x".repeat(2 ** 20)}${used}<|im_end|>`;
    expect(await render("{{ messages[0].content }}", [{ role: "user", content }])).toBe(content);
    await expect(render("{{ 1 }}", [{ role: "user", content: `${used}\uf8ff` }])).rejects.toThrow("private use");
  });

  test("template injection is text", async () => {
    const content =
      "{{ messages }}{% for i in range(9) %}{{ constructor.constructor('return 1')() }}{% endfor %}{# x #}";
    expect(await render("{{ messages[0].content }}", [{ role: "user", content }])).toBe(content);
  });
});

describe("templates under limits", () => {
  const HOSTILE: [string, string][] = [
    ["a hundred million steps", "{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}"],
    ["loops without a body", "{% set r = range(9999) %}{% for a in r %}{% for b in r %}{% endfor %}{% endfor %}"],
    [
      "a list that doubles",
      `{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}`,
    ],
    [
      "a text that doubles",
      `{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}`,
    ],
    ["much output", "{% for i in range(9999) %}{{ messages[0].content * 1 }}{% endfor %}"],
    ["a macro that calls itself", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"],
    ["deep nesting", `{{ ${"(".repeat(50_000)}1${")".repeat(50_000)} }}`],
    ["nested statements", "{% if true %}".repeat(10_000)],
    ["a long range", "{{ range(1000000000) }}"],
    ["an endless range", "{{ range(0, 10, 0) }}"],
    ["a replacement that is computed", "{{ messages[0].content | replace('x', messages[0].content) }}"],
    ["the same as a method", "{{ messages[0].content.replace('x', messages[0].content) }}"],
    ["the same by another name", "{{ messages[0].content['replace']('x', messages[0].content) }}"],
    ["a wide indent", "{{ 'a\nb' | indent(1000000000) }}"],
    ["a wide indent that is computed", "{{ messages | tojson(indent=999 * 999 * 999) }}"],
    ["a syntax error", "{% if %}"],
    ["an unknown filter", "{{ 1 | nothing }}"],
    ["a long template", "x".repeat(300_000)],
  ];
  test.each(HOSTILE)("%s", async (_, template) => {
    const begun = process.cpuUsage(); // other programs' time is not counted
    await expect(render(template, [{ role: "user", content: "x".repeat(10_000) }])).rejects.toThrow(
      expect.objectContaining({ code: "BAD_TEMPLATE", field: "template" }),
    );
    const { user, system } = process.cpuUsage(begun);
    expect((user + system) / 1000).toBeLessThan(4000);
  });

  const UNREACHABLE = [
    "{{ messages.constructor }}",
    "{{ messages['__proto__'] }}",
    "{{ messages[0].__proto__ }}",
    "{{ ''.constructor }}{{ [].constructor }}",
    "{{ range.constructor }}{{ range.call }}{{ range.name }}",
    "{{ messages.length }}{{ messages[0].size }}{{ ''.length }}",
    "{{ globalThis }}{{ process }}{{ this }}",
  ];
  test.each(UNREACHABLE)("nothing beyond what it is given: %s", async (template) => {
    expect(await render(template)).toBe("");
  });

  test("what a template says is wrong with the messages is the caller's mistake", async () => {
    await expect(render("{{ raise_exception('roles must alternate') }}")).rejects.toThrow(
      expect.objectContaining({ code: "INVALID_OPTION", field: "messages", value: "roles must alternate" }),
    );
  });

  test("a thousand messages are well within them", async () => {
    const path = new URL("../../fixtures/chat/chatml.json", import.meta.url);
    const { template }: Fixture = JSON.parse(readFileSync(path, "utf8"));
    const turn: ChatMessage[] = [
      { role: "user", content: "a".repeat(300) },
      { role: "assistant", content: "b".repeat(300) },
    ];
    const messages = Array(1000).fill(turn).flat();
    expect(await render(template, messages)).toBe(await render("chatml", messages));
  });

  test("what templates of the field use", async () => {
    expect(
      await render("{{ range(3) | join('-') }} {{ range(5, 1, -2) | join('-') }} {{ range(2, 1) | length }}"),
    ).toBe("0-1-2 5-3 0");
    expect(await render("{{ strftime_now('%d %b %Y %%') }}")).toMatch(/^\d\d [A-Z][a-z]{2} 20\d\d %$/);
    expect(await render("{{ 'a-b-c'.replace('-', ', ') | replace('c', '') }}")).toBe("a, b, ");
    expect(await render("{{ messages | tojson(indent=2) }}")).toBe(
      '[\n  {\n    "role": "user",\n    "content": "hi"\n  }\n]',
    );
    expect(await render("{{ date }}{{ bos_token }}", USER, { templateVariables: { date: "today" } })).toBe(
      "today<|begin_of_text|>",
    );
    expect(await render("{{ tools is none }} {{ documents is none }}")).toBe("True True");
  });

  describe("arguments of calls", () => {
    const sent = '{"b": 1.0,"1":"\\u007c"}';
    const tool_calls = [{ id: "1", type: "function" as const, function: { name: "f", arguments: sent } }];
    const messages: ChatMessage[] = [{ role: "assistant", tool_calls }];
    const call = (source: string) =>
      render(`{% if tools %}{% endif %}{% set a = messages[0].tool_calls[0].function.arguments %}${source}`, messages);

    test.each([
      "{{ a }}",
      "{{ '' + a }}",
      "{{ a ~ '' }}",
      "{{ a | string }}",
      "{% if a is string %}{{ a }}{% endif %}",
    ])("are the text that was sent where they are written: %s", async (source) =>
      expect(await call(source)).toBe(sent),
    );
    test("are a mapping in all else", async () => {
      expect(await call("{{ a | tojson }}")).toBe('{"b": 1.0, "1": "|"}');
      expect(await call("{{ a.b }}{{ a['1'] }}{{ a | length }}{{ a is mapping }}{{ 'b' in a }}")).toBe("1.0|2TrueTrue");
      expect(await call("{% for k, v in a | items %}{{ k }}={{ v }};{% endfor %}")).toBe("b=1.0;1=|;");
      expect(await call("{% if a is string %}{% set a = a | from_json %}{% endif %}{{ a.items() | list }}")).toBe(
        "[('b', 1.0), ('1', '|')]",
      );
    });
  });

  test("values have Python's form", async () => {
    const parameters = { required: ["a"], additionalProperties: false, default: null };
    const tools: Tool[] = [{ type: "function", function: { name: "f", parameters } }];
    const template = "{% set p = tools[0].function.parameters %}{{ p.required }}|{{ 'x' ~ p }}|{{ p.default }}";
    expect(await render(template, USER, { tools })).toBe(
      "['a']|x{'required': ['a'], 'additionalProperties': False, 'default': None}|None",
    );
  });

  test("Windows' line ends are line ends", async () => {
    const template = "{% for m in messages %}\n<{{ m.role }}>\n{{ m.content }}\n{% endfor %}\nend\n";
    expect(await render(template.replaceAll("\n", "\r\n"))).toBe(await render(template));
  });

  test("a template that cannot do with None for tools is given none", async () => {
    expect(await render("{% for t in tools %}{{ t }}{% endfor %}{{ tools is defined }}")).toBe("False");
    expect(await render("{{ tools is defined }}")).toBe("True");
  });

  test("a render that is aborted stops", async () => {
    const abort = new AbortController();
    const template = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
    const pace = new Pace(turn, () => checkSignal(abort.signal));
    const rendered = renderChat(info(), USER, { template }, () => pace.yield());
    setTimeout(() => abort.abort(), 5);
    await expect(rendered).rejects.toThrow(expect.objectContaining({ code: "ABORTED" }));
  });

  test("others get their turn while a template is rendered", async () => {
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    const template = "{% for a in range(99999) %}{% for b in range(99999) %}{{ a * b }}{% endfor %}{% endfor %}";
    await expect(render(template)).rejects.toThrow(expect.objectContaining({ code: "BAD_TEMPLATE" }));
    clearInterval(timer);
    expect(longest).toBeLessThan(500); // measured: 20 ms; the machine that tests may be busy
  });
});

describe("messages and tools are checked", () => {
  const tool = (f: object) => ({ tools: [{ type: "function", function: f }] });
  const called = (f: object) => [{ role: "assistant", tool_calls: [{ id: "1", type: "function", function: f }] }];
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  const WRONG: [string, unknown, object?][] = [
    ["messages", []],
    ["messages", Array(5000).fill(USER[0])],
    ["messages[0]", ["hi"]],
    ["messages[0]", [null]],
    ["messages[0].role", [{ role: "wizard", content: "" }]],
    ["messages[0].content", [{ role: "user" }]],
    ["messages[0].content", [{ role: "user", content: 5 }]],
    ["messages[1].content", [...USER, { role: "tool", content: null }]],
    ["messages[0].content", [{ role: "user", content: "x".repeat(5 * 2 ** 20) }]],
    ["messages[0].content[1]", [{ role: "user", content: [{ type: "text", text: "" }, "x"] }]],
    ["messages[0].content[0].type", [{ role: "user", content: [{ type: "image_url" }] }]],
    ["messages[0].content[0].text", [{ role: "user", content: [{ type: "text" }] }]],
    ["messages[0].name", [{ role: "user", content: "", name: 1 }]],
    ["messages[0].tool_call_id", [{ role: "tool", content: "", tool_call_id: {} }]],
    ["messages[0].tool_calls", [{ role: "user", content: "", tool_calls: called({})[0]!.tool_calls }]],
    ["messages[0].tool_calls", [{ role: "assistant", tool_calls: "f()" }]],
    ["messages[0].tool_calls[0].function", [{ role: "assistant", tool_calls: [{}] }]],
    ["messages[0].tool_calls[0].function.name", called({ name: 'f"', arguments: "{}" })],
    ["messages[0].tool_calls[0].function.arguments", called({ name: "f", arguments: {} })],
    ["messages[0].tool_calls[0].function.arguments", called({ name: "f", arguments: "{" })],
    ["messages[0].tool_calls[0].function.arguments", called({ name: "f", arguments: "[]" })],
    ["tools", USER, { tools: {} }],
    ["tools", USER, { tools: Array(129).fill({}) }],
    ["tools[0]", USER, { tools: [1] }],
    ["tools[0].type", USER, { tools: [{ type: "retrieval" }] }],
    ["tools[0].function", USER, { tools: [{ type: "function" }] }],
    ["tools[0].function.name", USER, tool({ name: "two words" })],
    ["tools[1].function.name", USER, { tools: [tool({ name: "f" }).tools[0], tool({ name: "f" }).tools[0]] }],
    ["tools[0].function.description", USER, tool({ name: "f", description: 1 })],
    ["tools[0].function.parameters", USER, tool({ name: "f", parameters: "x" })],
    ["tools[0].function.parameters.type", USER, tool({ name: "f", parameters: { type: "array" } })],
    ["tools[0].function.parameters.minimum", USER, tool({ name: "f", parameters: { minimum: Number.NaN } })],
    ["tools[0].function.parameters.f", USER, tool({ name: "f", parameters: { f: () => {} } })],
    ["template", USER, { template: "" }],
    ["template", USER, { template: 5 }],
    ["templateVariables", USER, { templateVariables: [] }],
    ["templateVariables", USER, { templateVariables: { messages: [] } }],
    ["templateVariables.x", USER, { templateVariables: { x: 5n } }],
  ];
  test.each(WRONG)("%s (%#)", async (field, messages, options = {}) => {
    await expect(renderChat(info(), messages as never, options as never)).rejects.toThrow(
      expect.objectContaining({ code: "INVALID_OPTION", field }),
    );
  });

  test("whatever comes, it is rendered or refused", async () => {
    const anything = fc.anything({ withBigInt: true, withNullPrototype: true, maxDepth: 4 });
    const mostly = <T>(right: fc.Arbitrary<T>) =>
      fc.oneof({ weight: 12, arbitrary: right }, { weight: 1, arbitrary: anything });
    const optional = <T>(right: fc.Arbitrary<T>) => fc.option(mostly(right), { nil: undefined });
    const name = mostly(fc.stringMatching(/^[a-z]{1,9}$/));
    const json = fc.dictionary(fc.string(), fc.jsonValue());
    const call = fc.record({
      id: optional(fc.string()),
      function: fc.record({ name, arguments: mostly(json.map((value) => JSON.stringify(value))) }),
    });
    const part = fc.record({ type: mostly(fc.constant("text")), text: mostly(fc.string()) });
    const said = fc.record({
      role: mostly(fc.constantFrom("system", "user", "developer", "tool")),
      content: mostly(fc.oneof(fc.string(), fc.array(part))),
      name: optional(fc.string()),
    });
    const calling = fc.record({
      role: fc.constant("assistant"),
      content: optional(fc.string()),
      tool_calls: fc.array(call, { minLength: 1 }),
    });
    const parameters = optional(json.map(({ type: _, ...rest }) => rest));
    const tool = fc.record({
      type: fc.constant("function"),
      function: fc.record({ name, description: optional(fc.string()), parameters }),
    });
    const options = fc.record({
      template: fc.constantFrom("chatml", "llama3", "{{ messages | tojson }}{{ tools | tojson }}"),
      tools: optional(fc.uniqueArray(tool, { selector: (one) => one.function.name })),
      templateVariables: optional(fc.record({ x: anything })),
    });
    let rendered = 0;
    await fc.assert(
      fc
        .asyncProperty(
          fc.array(mostly(fc.oneof(said, calling)), { minLength: 1, maxLength: 4 }),
          options,
          async (messages, given) => {
            try {
              expect((await renderChat(info(), messages as never, given as never)).text).toEqual(expect.any(String));
              rendered++;
            } catch (error) {
              expect(error).toMatchObject({ name: "ZagreusError", code: "INVALID_OPTION" });
            }
          },
        )
        .afterEach(turn),
      { numRuns: 2000 },
    );
    expect(rendered).toBeGreaterThan(50); // of 120 or so that are good ones
  });

  test("nothing deep or cyclic gets in", async () => {
    const error = await caught(() => renderChat(info(), USER, { templateVariables: { cyclic } }));
    expect(error).toMatchObject({ code: "INVALID_OPTION", message: expect.stringMatching(/nested at most 64 deep/) });
  });

  test("a message's own fields only, and __proto__ is a key like others", async () => {
    const parameters = JSON.parse('{"__proto__": {"polluted": true}}');
    const tools = tool({ name: "f", parameters }).tools as Tool[];
    expect(await render("{{ tools | tojson }}", USER, { tools })).toContain(
      '"parameters": {"__proto__": {"polluted": true}}',
    );
    expect({}).not.toHaveProperty("polluted");
    const message = Object.create({ name: "inherited" }, { role: { value: "user" }, content: { value: "hi" } });
    expect(await render("{{ messages | tojson }}", [message])).toBe(
      '[{"role": "user", "content": "hi", "name": "inherited"}]',
    );
  });
});

describe("the system message that a template writes by itself", () => {
  const im = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}";
  const defaults = (text: string) =>
    `{% if messages[0].role != "system" %}<|im_start|>system\n${text}<|im_end|>\n{% endif %}${im}`;
  const tools = [{ type: "function", function: { name: "f" } }] as Tool[];
  const system = { role: "system", content: "Be brief." } as const;
  const first = async (template: string, messages: readonly ChatMessage[], rest = {}) =>
    (await render(template, messages, rest)).split("<|im_end|>")[0]!.split("\n").slice(0, 3);

  test("survives tools, where the caller has none", async () => {
    const template = defaults("You are Smol | 1.");
    expect(await first(template, USER)).toEqual(["<|im_start|>system", "You are Smol | 1."]);
    expect(await first(template, USER, { tools })).toEqual(["<|im_start|>system", "You are Smol | 1.", ""]);
    expect(await render(template, USER, { tools })).toContain("You are Smol | 1.\n\n# Tools\n");
    expect(await first(template, [system, ...USER], { tools })).toEqual(["<|im_start|>system", "Be brief.", ""]);
  });

  test.each([
    ["there is none", im],
    [
      "it goes with the user",
      "{% for m in messages %}{{ m.content }}{% if not loop.last %}\n\n{% endif %}{% endfor %}",
    ],
    [
      "it is not to be told",
      `{% if messages[0].role == "system" %}${im}{% else %}{{ raise_exception("no") }}{% endif %}`,
    ],
    ["it says it twice", `{{ messages[0].content }}${im}`],
  ])("is not made up: %s", async (_, template) => {
    expect(await render(template, USER, { tools })).toMatch(/^(<\|im_start\|>system\n)?# Tools/);
  });
});
