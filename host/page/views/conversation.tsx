// What was said. It follows its end while a reply is written, unless somebody reads elsewhere.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Chat } from "../chat/chat.js";
import { branch } from "../chat/tree.js";
import { say } from "../text/say.js";
import { MessageView } from "./message.js";
import { IconButton } from "./parts/icons.js";

/** Pixels from the end within which it is followed. */
const NEAR = 48;

export function Conversation({ chat, onPick }: { chat: Chat; onPick(): void }) {
  const { conversation, settings, writing, ready, asking } = chat.state;
  const messages = branch(conversation);
  const { log, atEnd, onScroll, toEnd } = useFollowing();
  return (
    <div class="scene">
      <div
        id="log"
        ref={log}
        role="log"
        aria-live="off"
        aria-label={say("conversation")}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
        tabIndex={0}
        onScroll={onScroll}
      >
        {messages.length === 0 && <Welcome chat={chat} onPick={onPick} />}
        {messages.map((message) => (
          <MessageView
            key={message.id}
            chat={chat}
            message={message}
            language={settings.language}
            reading={writing?.id === message.id ? writing.reading : undefined}
            asking={asking?.message === message.id ? asking : undefined}
            isLast={message.id === conversation.leaf}
            mayAsk={ready !== undefined}
            count={conversation.messages.length}
          />
        ))}
      </div>
      {!atEnd && <IconButton icon="down" class="to-end" label={say("toEnd")} onClick={toEnd} />}
    </div>
  );
}

function Welcome({ chat, onPick }: { chat: Chat; onPick(): void }) {
  const { ready, loading } = chat.state;
  return (
    <div class="welcome">
      <h2>{say("title")}</h2>
      <p>{say(chat.backend.kind === "page" ? "intro" : "introServer")}</p>
      {!ready && !loading && (
        <button type="button" class="primary" onClick={onPick}>
          {say("choose")}
        </button>
      )}
      {ready?.chats === false && <p>{say("promptBase")}.</p>}
    </div>
  );
}

function useFollowing() {
  const log = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const [atEnd, setAtEnd] = useState(true);
  const onScroll = () => {
    const { scrollHeight, scrollTop, clientHeight } = log.current!;
    following.current = scrollHeight - scrollTop - clientHeight < NEAR;
    setAtEnd(following.current);
  };
  const toEnd = () => {
    following.current = true;
    log.current!.scrollTop = log.current!.scrollHeight;
  };
  useLayoutEffect(() => {
    const selection = getSelection();
    const selecting = selection && !selection.isCollapsed && log.current!.contains(selection.anchorNode);
    if (following.current && !selecting) toEnd();
  });
  return { log, atEnd, onScroll, toEnd };
}
