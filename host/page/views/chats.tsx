// The conversations that are kept.

import { useState } from "preact/hooks";
import type { Chat } from "../chat/chat.js";
import type { KeptChat } from "../chat/kept_chats.js";
import { day, say } from "../text/say.js";
import { IconButton } from "./parts/icons.js";
import { nameFor } from "./parts/words.js";

export function Chats({ chat, onPick }: { chat: Chat; onPick(): void }) {
  const { chats } = chat.state;
  const [renaming, setRenaming] = useState<string>();
  if (chats.length === 0) return <p class="hint">{say("noChats")}</p>;
  return (
    <ul class="choices">
      {chats.map((kept) =>
        kept.id === renaming ? (
          <NameForm
            key={kept.id}
            kept={kept}
            onName={(name) => {
              setRenaming(undefined);
              if (name !== undefined) chat.rename(kept.id, name);
            }}
          />
        ) : (
          <Row key={kept.id} chat={chat} kept={kept} onPick={onPick} onRename={() => setRenaming(kept.id)} />
        ),
      )}
    </ul>
  );
}

interface RowProps {
  chat: Chat;
  kept: KeptChat;
  onPick(): void;
  onRename(): void;
}

function Row({ chat, kept: { id, name: said, at }, onPick, onRename }: RowProps) {
  const name = nameFor(said);
  const pick = () => {
    chat.open(id);
    onPick();
  };
  return (
    <li>
      <button type="button" class="choice" aria-current={id === chat.state.chatId} onClick={pick}>
        <bdi>{name}</bdi> <small>{day(at)}</small>
      </button>
      <IconButton icon="edit" label={say("rename", { name })} onClick={onRename} />
      <IconButton
        icon="bin"
        label={say("remove", { name })}
        onClick={() => confirm(say("reallyForget", { name })) && chat.forget(id)}
      />
    </li>
  );
}

/** @param onName told the name, or undefined where it stays */
function NameForm({ kept: { name }, onName }: { kept: KeptChat; onName(name?: string): void }) {
  const [text, setText] = useState(name);
  const onSubmit = (event: Event) => {
    event.preventDefault();
    onName(text);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    event.preventDefault(); // the dialog stays open
    onName();
  };
  return (
    <li>
      <form class="row" onSubmit={onSubmit}>
        <input
          aria-label={say("rename", { name: nameFor(name) })}
          value={text}
          ref={(field) => field?.focus()}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <button type="submit" class="primary">
          {say("ok")}
        </button>
      </form>
    </li>
  );
}
