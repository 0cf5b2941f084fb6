// The public API that is the same on every host; a host adds load() for the sources it knows.

export type * from "./core/api/api.js";
export { type ErrorCode, ZagreusError } from "./core/api/errors.js";

export { runTools } from "./core/model/chat_completion.js";
