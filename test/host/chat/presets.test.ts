import { expect, test } from "vitest";
import type { ChatOptions, GenerateOptions } from "../../../host/core/api/api";
import { checkGenerateOptions, GENERATE } from "../../../host/core/api/options";
import { samplingOf } from "../../../host/core/chat/presets";
import { ModelCompletion } from "../../../host/core/engine/completion";
import { Pace } from "../../../host/core/engine/pace";
import { SHORT_NAMES } from "../../../host/core/hub/names";
import { answerBy, startChat } from "../../../host/core/model/chat_completion";

const PACE = new Pace(
  async () => {},
  () => {},
);
const sampling = (name: string, metadata = {}) => samplingOf({ name, metadata });
const exact = { temperature: 0, repetitionPenalty: 1, noRepeatNgram: 0 };
const INSTRUCT = { temperature: 0.7, repetitionPenalty: 1.3, loopStop: true };
const BASE = { temperature: 0.8, repetitionPenalty: 1.1 };

test.each<[name: string, text: object, chat: object, structure: object]>([
  ["nesso-0.4B-instruct", {}, INSTRUCT, exact],
  ["Nesso 0.4B Agentic", {}, INSTRUCT, exact],
  ["open-zagreus-0.4B", {}, INSTRUCT, exact],
  ["nesso2-0.4B-agentic", {}, { temperature: 0, repetitionPenalty: 1.15, noRepeatNgram: 6, loopStop: true }, exact],
  ["zagreus-0.4B-ita", BASE, BASE, exact],
  ["Zagreus 0.4B Fra", BASE, BASE, exact],
  ["Smollm2 135M 8k Lc100K Mix1 Ep2", {}, { temperature: 0.2, topP: 0.9 }, { temperature: 0.2, topP: 0.9 }],
])("%s", (name, text, chat, structure) => {
  const { source, ...found } = sampling(name);
  expect(found).toEqual({ text, chat, structure });
  expect(source).toMatch(/\w{5}/);
  expect(sampling("x", { "general.basename": name })).toEqual(sampling(name));
});

test.each(["Qwen3 0.6B", "zagreus-nano", "Llama 3.2 1B Instruct", "Nesso", "tiny chat"])(
  "%s is not among them, and samples as llama.cpp does",
  (name) => {
    expect(sampling(name)).toEqual({ text: {}, chat: {}, structure: {}, source: undefined });
  },
);

test("the makers' eight models are known by their short names and their repositories'", () => {
  expect(Object.keys(SHORT_NAMES).length).toBeGreaterThanOrEqual(8);
  for (const [short, repository] of Object.entries(SHORT_NAMES)) {
    expect(sampling(short).source, short).toBeDefined();
    expect(sampling(repository.split("/")[1]!), repository).toEqual(sampling(short));
  }
});

test("what is given comes before what the makers say, and that before what is usual", () => {
  const check = (options: GenerateOptions) => checkGenerateOptions(options, 100, 100, BASE);
  expect(check({})).toMatchObject({ ...BASE, topP: 1 });
  expect(check({ repetitionPenalty: undefined, temperature: 0 })).toMatchObject({ ...BASE, temperature: 0 });
  expect(GENERATE.repetitionPenalty.range.default).toBe(1);
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
