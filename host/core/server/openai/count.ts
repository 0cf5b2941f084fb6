// How many tokens a chat's prompt has, without a place for it.

import { chatOptions } from "./chat.js";
import { generateOptions, once, type RequestJob } from "./generation.js";
import { chatTokens } from "./measure.js";
import type { ChatBody } from "./schemas.js";

/** Tokens of the prompt, also of one that does not fit. @throws ApiError */
export function countPrompt(job: RequestJob<ChatBody>): Promise<number> {
  return once(job, async () => {
    const { served, request, call } = job;
    const { responseFormat } = generateOptions(job, 0);
    return chatTokens(served, request.messages, { ...chatOptions(job, 1), responseFormat }, call.signal);
  });
}
