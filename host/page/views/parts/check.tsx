// A setting that is on or off.

import type { Chat } from "../../chat/chat.js";
import { say } from "../../text/say.js";

interface Props {
  chat: Chat;
  name: "tools" | "mustCall" | "schema" | "aloud";
  checked: boolean;
}

export function Check({ chat, name, checked }: Props) {
  return (
    <label class="check">
      <input
        id={name}
        type="checkbox"
        checked={checked}
        onChange={({ currentTarget }) => chat.change({ [name]: currentTarget.checked })}
      />
      {say(name)}
    </label>
  );
}
