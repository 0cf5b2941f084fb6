import { expect, test } from "vitest";
import type { ChatOptions, GenerateOptions } from "../../../host/core/api/api";
import { GENERATE } from "../../../host/core/api/options";
import { PRESETS, presetFor, STRUCTURE } from "../../../host/core/chat/presets";
import { ModelCompletion } from "../../../host/core/engine/completion";
import { Pace } from "../../../host/core/engine/pace";
import { answerBy, startChat } from "../../../host/core/model/chat_completion";

const PACE = new Pace(
  async () => {},
  () => {},
);
const preset = (name: string, metadata = {}) => presetFor({ name, metadata }, false);

test.each([
  ["nesso-0.4B-instruct", { temperature: 0.7, repetitionPenalty: 1.3 }],
  ["Nesso 0.4B Agentic", { temperature: 0.7, repetitionPenalty: 1.3 }],
  ["open-zagreus-0.4B", { temperature: 0.7, repetitionPenalty: 1.3 }],
  ["nesso2-0.4B-agentic", { temperature: 0, repetitionPenalty: 1.15, noRepeatNgram: 6 }],
  ["zagreus-0.4B-ita", { temperature: 0.8, repetitionPenalty: 1.1 }],
  ["Qwen3 0.6B", {}],
])("%s", (name, sampling) => {
  expect(preset(name)).toEqual(sampling);
  expect(preset("x", { "general.basename": name })).toEqual(sampling);
  expect(presetFor({ name, metadata: {} }, true)).toEqual({ temperature: 0, repetitionPenalty: 1, noRepeatNgram: 0 });
});

test("a base model's preset is what complete() does anyway", () => {
  const temperature = GENERATE.temperature.range.default;
  const repetitionPenalty = GENERATE.repetitionPenalty.range.default;
  expect(preset("zagreus-nano")).toEqual({ temperature, repetitionPenalty });
});

test("every preset says where it comes from", () => {
  for (const { source } of [...PRESETS, STRUCTURE]) expect(source.length).toBeGreaterThan(20);
});

/** What complete() is called with. */
async function sampled(options: ChatOptions): Promise<GenerateOptions> {
  let given: GenerateOptions | undefined;
  const model = {
    info: {
      name: "nesso-0.4B-instruct",
      metadata: {},
      chatTemplate: "{{ tools }}",
      namedTemplates: {},
      vocabulary: 100,
      tokenizer: { bos: undefined, eos: undefined, addBos: false, end: [], special: {}, userDefined: {} },
    } as never,
    tokenize: () => [1],
    takeTurn: async () => ({ pace: PACE, release() {}, goesWith() {} }),
    complete(_prompt: unknown, options: GenerateOptions) {
      given = options;
      return new ModelCompletion(0n, async function* () {
        yield { text: "", token: 1 };
      });
    },
  };
  await startChat(model.info, [{ role: "user", content: "" }], options, answerBy(model)).text();
  return given!;
}

test("presets fill in what the caller leaves open", async () => {
  expect(await sampled({})).toMatchObject({ temperature: 0.7, repetitionPenalty: 1.3 });
  expect(await sampled({ temperature: 0.2, repetitionPenalty: undefined })).toMatchObject({
    temperature: 0.2,
    repetitionPenalty: 1.3,
  });
  const greedy = { temperature: 0, repetitionPenalty: 1 };
  expect(await sampled({ responseFormat: { type: "json_object" } })).toMatchObject(greedy);
  expect(await sampled({ responseFormat: { type: "text" } })).toMatchObject({ temperature: 0.7 });
  const tools = [{ type: "function" as const, function: { name: "f" } }];
  expect(await sampled({ tools, toolChoice: "required" })).toMatchObject(greedy);
  expect(await sampled({ tools, temperature: 1 })).toMatchObject({ temperature: 1, repetitionPenalty: 1 });
  expect(await sampled({ tools, toolChoice: "none" })).toMatchObject({ temperature: 0.7, repetitionPenalty: 1.3 });
});
