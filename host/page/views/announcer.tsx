// What a screen reader is told: that the model writes, then what it has written. A log that is read token by token helps nobody.

import type { Message } from "../chat/tree.js";
import { say } from "../text/say.js";

export function Announcer({ messages }: { messages: readonly Message[] }) {
  const last = messages.at(-1);
  const text = last?.role !== "assistant" ? "" : last.ended ? last.text : say("writing");
  return (
    <p id="announcer" class="visually-hidden" role="status">
      {text}
    </p>
  );
}
