// Classes of the bundled model, and of a model that says what a test tells it to.

import { bundledModel, load, type Model } from "zagreus-edge";
import { type LanguageModelOptions, languageModel, type PromptModel } from "zagreus-edge/prompt-api";

/** A sentence of two dozen tokens. */
export const SENTENCE = "C'era una volta un re che aveva tre figlie.";

/** Sessions of nano are short, and so are its answers here. */
export const nanoClass = (model: PromptModel, options: Partial<LanguageModelOptions> = {}) =>
  languageModel({ model, template: "chatml", maxTokens: 12, ...options });

export const loadShort = (contextLength = 512): Promise<Model> => load(bundledModel, { threads: 1, contextLength });

/** What a model was asked: the prompt as text, and the options. */
export interface Asked {
  prompt: string;
  options: NonNullable<Parameters<Model["complete"]>[1]>;
}

/** The model, but for its answers: those of `says`, one after the other. @param asked takes what it was asked @param times how much longer its context is */
export function scripted(model: Model, says: (asked: Asked) => string, asked: Asked[] = [], times = 1): PromptModel {
  const complete = (tokens: Parameters<Model["complete"]>[0], options: Asked["options"] = {}) => {
    const prompt = model.detokenize(tokens as number[], { special: true });
    const question = { prompt, options };
    if (options.maxTokens !== 0) asked.push(question);
    async function* pieces() {
      if (options.maxTokens === 0) return;
      const [...characters] = says(question);
      for (const text of characters) {
        await new Promise((resolve) => setTimeout(resolve));
        options.signal?.throwIfAborted();
        yield { text, token: 0 };
      }
    }
    return { [Symbol.asyncIterator]: pieces, text: async () => "" } as unknown as ReturnType<Model["complete"]>;
  };
  const info = { ...model.info, contextLength: model.info.contextLength * times };
  return { info, closed: false, complete, tokenize: (...text) => model.tokenize(...text), close() {} };
}

/** The name of what a promise is rejected with. */
export const nameOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "nothing was thrown",
    (error) => error.name,
  );
