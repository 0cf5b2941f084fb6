// Whether a call may be made, asked beside the call.

import { printable } from "../../core/api/printable.js";
import type { Permission } from "../../mcp/offer.js";
import type { Asking } from "../chat/chat.js";
import { say } from "../text/say.js";
import { nameFor } from "./parts/words.js";

export function PermissionQuestion({ asking: { wanted, answer } }: { asking: Asking }) {
  const { server, tool, args } = wanted;
  const values = { server: nameFor(server), tool: nameFor(tool), args: printable(JSON.stringify(args)) };
  /** The buttons go with the question; the focus stays in the conversation. */
  const decide = (permission: Permission) => {
    answer(permission);
    document.getElementById("log")?.focus();
  };
  return (
    <div class="asking">
      <p class="question" role="alert">
        {say("mayCall", values)}
      </p>
      <div class="row">
        <button type="button" class="primary" onClick={() => decide("yes")}>
          {say("allowOnce")}
        </button>
        <button type="button" onClick={() => decide("always")}>
          {say("allowAlways")}
        </button>
        <button type="button" onClick={() => decide("no")}>
          {say("refuse")}
        </button>
      </div>
    </div>
  );
}
