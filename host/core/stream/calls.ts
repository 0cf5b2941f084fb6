// Tool calls, put together from their deltas.

import type { ToolCall, ToolCallDelta } from "../api/api.js";

/** Puts what is new of a call among the calls. */
export function addDelta(
  calls: ToolCall[],
  { index, id = "", function: { name = "", arguments: more } }: ToolCallDelta,
): void {
  const call = calls[index];
  if (call) call.function.arguments += more;
  else calls[index] = { id, type: "function", function: { name, arguments: more } };
}
