// Where people write, and what the conversation takes of the context.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Chat } from "../chat/chat.js";
import { branch } from "../chat/tree.js";
import { canDictate, dictate } from "../speech/dictation.js";
import { number, say } from "../text/say.js";
import { IconButton } from "./parts/icons.js";

export function Composer({ chat, onPick, onTools }: { chat: Chat; onPick(): void; onTools(): void }) {
  const { ready, writing, loading, conversation } = chat.state;
  const [text, setText] = useState("");
  const field = useRef<HTMLTextAreaElement>(null);
  useStopKey(chat);
  const send = () => {
    if (writing) return;
    if (!ready) return loading || onPick();
    const said = field.current!.value.trim() || (conversation.leaf === undefined ? exampleFor(chat) : "");
    if (!said) return;
    setText("");
    void chat.say(said);
    field.current!.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const composing = event.isComposing || event.keyCode === 229; // Safari says the latter only
    if (event.key !== "Enter" || event.shiftKey || composing) return;
    event.preventDefault();
    send();
  };
  const onSubmit = (event: Event) => {
    event.preventDefault();
    send();
  };
  const base = ready?.chats === false;
  return (
    <form id="composer" onSubmit={onSubmit}>
      <div class="field">
        <textarea
          id="prompt"
          ref={field}
          rows={2}
          aria-label={say("prompt")}
          aria-describedby="keys"
          placeholder={exampleFor(chat) || say(base ? "promptBase" : "promptChat")}
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        {canDictate() && !writing && <Microphone chat={chat} text={text} onText={setText} />}
        {writing ? (
          <IconButton icon="stop" class="primary" label={say("stop")} onClick={() => chat.stop()} />
        ) : (
          <IconButton icon="send" class="primary" type="submit" label={say("send")} disabled={loading !== undefined} />
        )}
      </div>
      <p class="row hint">
        <ContextUse chat={chat} />
        <ToolUse chat={chat} onOpen={onTools} />
        <span id="keys">{say("keys")}</span>
      </p>
    </form>
  );
}

/** Adds what is dictated to the text. */
function Microphone({ chat, text, onText }: { chat: Chat; text: string; onText(text: string): void }) {
  const [stop, setStop] = useState<() => void>();
  const [failed, setFailed] = useState("");
  const begin = () => {
    setFailed("");
    const before = text && `${text} `;
    const onEnd = (why: string | undefined) => {
      setStop(undefined);
      if (why) setFailed(say("deaf", { message: why }));
    };
    const end = dictate(chat.state.settings.language, { onText: (heard) => onText(before + heard), onEnd });
    setStop(() => end);
  };
  const label = say(stop ? "dictating" : "dictate");
  return (
    <>
      <span class="visually-hidden" role="alert">
        {failed}
      </span>
      <IconButton icon="microphone" class={stop ? "primary" : ""} label={failed || label} onClick={stop ?? begin} />
    </>
  );
}

/** A model that continues texts has something to begin with. */
const exampleFor = ({ state: { ready } }: Chat) => (ready?.chats === false ? say("example") : "");

function ContextUse({ chat }: { chat: Chat }) {
  const { conversation, ready } = chat.state;
  const figures = branch(conversation).findLast(({ figures }) => figures)?.figures;
  if (!figures) return null;
  const used = figures.promptTokens + figures.completionTokens;
  const total = ready?.contextLength;
  if (total === undefined) return <span id="context">{say("contextUsed", { used: number(used) })}</span>;
  const text = say("context", { used: number(used), total: number(total) });
  return (
    <span id="context">
      <meter aria-hidden="true" max={total} value={used} /> {text}
    </span>
  );
}

/** How many tools of servers there are, and whether a server failed. */
function ToolUse({ chat, onOpen }: { chat: Chat; onOpen(): void }) {
  const { servers } = chat.state;
  if (servers.length === 0) return null;
  const count = servers.reduce(
    (sum, { url, tools }) => sum + tools.filter(({ name }) => chat.isOn(url, name)).length,
    0,
  );
  const failed = servers.filter(({ status }) => status === "failed").length;
  return (
    <button type="button" id="tool-use" class={failed ? "plain error" : "plain"} onClick={onOpen}>
      {say("toolCount", { count })}
      {failed > 0 && `, ${say("serversFailed", { count: failed })}`}
    </button>
  );
}

/** Esc stops what runs, unless it closes a dialog. */
function useStopKey(chat: Chat) {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
      chat.stop();
      chat.stopLoading();
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, [chat]);
}
