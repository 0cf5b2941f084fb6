// How many tokens a chat's prompt has: rendered and counted, not run.

import { part } from "../../api/errors.js";
import { checkSignal, Pace } from "../../engine/pace.js";
import { chatOptions } from "./chat.js";
import { generateOptions, once, type RequestJob } from "./generation.js";
import type { ChatBody } from "./schemas.js";

const macrotask = () => new Promise((resolve) => setTimeout(resolve));

/** Tokens of the prompt, also of one that does not fit. @throws ApiError */
export function countPrompt(job: RequestJob<ChatBody>): Promise<number> {
  return once(job, async () => {
    const { served, request, call } = job;
    const { promptTokens } = await part(import("../../chat/index.js"));
    const { responseFormat } = generateOptions(job, 0);
    const pace = new Pace(macrotask, () => checkSignal(call.signal));
    const options = { ...chatOptions(job, 1), responseFormat };
    return (await promptTokens(served.model, request.messages, options, () => pace.yield())).length;
  });
}
