// A tool of a server as a tool of the model, which asks before it runs.

import type { RunnableTool } from "../index.js";
import type { Connection, ServerTool } from "./connection.js";
import { safeName } from "./names.js";
import { cut, resultText } from "./result.js";

const MAX_DESCRIPTION = 1024;
/** A result of as many characters as the context has tokens takes a third of it, or less. */
const RESULT = { least: 1000, most: 16_000 };

export type Permission = "yes" | "no" | "always";

/** A call that somebody has to allow. */
export interface WantedCall {
  server: string;
  /** The tool's name at the server. */
  tool: string;
  args: Record<string, unknown>;
}

export interface Offered extends RunnableTool {
  /** Its name at the server. */
  origin: string;
  server: string;
}

interface Terms {
  /** Characters of a result. */
  limit: number;
  /** Whether a call may be made. */
  allow(call: WantedCall, signal: AbortSignal | undefined): Promise<boolean>;
}

/** Characters of a result that leave a context of `tokens` room. */
export const resultLimit = (tokens: number) => Math.min(RESULT.most, Math.max(RESULT.least, tokens));

/** The tool under a name that is none of `taken`, which gets it. */
export function offer(
  connection: Pick<Connection, "label" | "call">,
  { name: origin, description, inputSchema }: ServerTool,
  taken: Set<string>,
  { limit, allow }: Terms,
): Offered {
  const name = safeName(origin, taken);
  taken.add(name);
  const server = connection.label;
  return {
    type: "function",
    function: { name, description: description && cut(description, MAX_DESCRIPTION), parameters: inputSchema },
    origin,
    server,
    run: async (args: Record<string, unknown>, { signal }) => {
      if (!(await allow({ server, tool: origin, args }, signal))) throw new Error("the user does not allow this call");
      signal?.throwIfAborted();
      return resultText(await connection.call(origin, args, signal), limit);
    },
  };
}
