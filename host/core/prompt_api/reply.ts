// One answer of the model.

import type { GenerateOptions, ResponseFormat, SamplingDefaults, ToolCall } from "../api/api.js";
import { CallParser } from "../chat/calls.js";
import { addDelta } from "../stream/calls.js";
import type { ClassOptions, LanguageModelSamplingMode, PromptModel } from "./api/types.js";
import type { CoreOptions } from "./input/options.js";

/** What a mode is for this engine; "balanced" is what the model's makers say, or this. */
export const SAMPLING: Readonly<Record<LanguageModelSamplingMode, SamplingDefaults & { minP?: number }>> = {
  "most-predictable": { temperature: 0 },
  predictable: { temperature: 0.3 },
  "slightly-predictable": { temperature: 0.5 },
  balanced: { temperature: 0.7 },
  "slightly-creative": { temperature: 0.9 },
  creative: { temperature: 1.1 },
  "most-creative": { temperature: 1.4, minP: 0.05 },
};

export interface ReplyRequest {
  prompt: { tokens: number[]; stop: string[] };
  format: ResponseFormat | undefined;
  mayCall: boolean;
  core: CoreOptions;
  options: Pick<ClassOptions, "generation" | "maxTokens">;
  signal: AbortSignal;
}

export interface Reply {
  text: string;
  calls: ToolCall[];
}

/**
 * Lets the model answer.
 * @param say takes the text as it comes
 * @throws ZagreusError as complete() does
 */
export async function reply(model: PromptModel, request: ReplyRequest, say: (text: string) => void): Promise<Reply> {
  const { prompt, format, core, options, signal } = request;
  const { contextLength } = model.info;
  const room = contextLength - prompt.tokens.length;
  const completion = model.complete(prompt.tokens, {
    ...sampling(model, core, format !== undefined),
    ...options.generation,
    maxTokens: Math.max(0, Math.min(options.maxTokens ?? room, room)),
    stop: prompt.stop,
    responseFormat: format,
    signal,
  });
  const parser = request.mayCall ? new CallParser() : undefined;
  const answer: Reply = { text: "", calls: [] };
  const take = ({
    text,
    toolCalls = [],
  }: Pick<ReturnType<CallParser["push"]>, "text"> & Partial<ReturnType<CallParser["push"]>>) => {
    for (const delta of toolCalls) addDelta(answer.calls, delta);
    answer.text += text;
    if (text) say(text);
  };
  for await (const { text } of completion) take(parser?.push(text) ?? { text });
  if (parser) take(parser.finish());
  return answer;
}

/** What a mode, or who gives parameters, asks of the sampler. */
export function sampling({ info }: PromptModel, core: CoreOptions, structured: boolean): GenerateOptions {
  const makers = structured ? info.sampling.structure : info.sampling.chat;
  const { samplingMode, topK, temperature } = core;
  const common = { loopStop: true, ...makers }; // nobody can say how long an answer may be
  if (samplingMode === null) return { ...common, topK, temperature };
  return samplingMode === "balanced" ? { ...SAMPLING.balanced, ...common } : { ...common, ...SAMPLING[samplingMode] };
}
