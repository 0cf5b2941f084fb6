// A message with what can be done with it.

import { Component } from "preact";
import { useState } from "preact/hooks";
import type { PrefillProgress } from "../../core/api/api.js";
import { printable } from "../../core/api/printable.js";
import { type Asking, type Chat, endingOf } from "../chat/chat.js";
import { isCut } from "../chat/to_messages.js";
import { type Message, versions } from "../chat/tree.js";
import { number, say } from "../text/say.js";
import { MarkdownText } from "./markdown_text.js";
import { copy } from "./parts/copy.js";
import { ErrorText } from "./parts/error_text.js";
import { IconButton } from "./parts/icons.js";
import { nameFor } from "./parts/words.js";
import { PermissionQuestion } from "./permission.js";

interface MessageProps {
  chat: Chat;
  message: Message;
  language: string;
  reading: PrefillProgress | undefined;
  /** A call of it that somebody has to allow. */
  asking: Asking | undefined;
  mayAsk: boolean;
  /** Whether nothing is shown behind it. */
  isLast: boolean;
  /** Messages of the whole tree: when it grows, there may be another version. */
  count: number;
}

export class MessageView extends Component<MessageProps> {
  override shouldComponentUpdate(next: MessageProps) {
    return (Object.keys(next) as (keyof MessageProps)[]).some((name) => next[name] !== this.props[name]);
  }

  override render() {
    const { message, ...props } = this.props;
    if (message.role === "user") return <Said message={message} {...props} />;
    return message.role === "tool" ? <Result message={message} /> : <Reply message={message} {...props} />;
  }
}

function Said({ chat, message, mayAsk }: MessageProps) {
  const [editing, setEditing] = useState(false);
  const save = (text: string) => {
    setEditing(false);
    void chat.edit(message, text);
  };
  return (
    <article class="user">
      <h2 class="visually-hidden">{say("you")}</h2>
      {editing ? (
        <Editor text={message.text} onSave={save} onCancel={() => setEditing(false)} />
      ) : (
        <>
          <p class="said" dir="auto">
            {message.text}
          </p>
          <div class="actions">
            <Versions chat={chat} message={message} />
            <CopyButton text={message.text} />
            <IconButton icon="edit" label={say("edit")} disabled={!mayAsk} onClick={() => setEditing(true)} />
          </div>
        </>
      )}
    </article>
  );
}

function Editor({ text, onSave, onCancel }: { text: string; onSave(text: string): void; onCancel(): void }) {
  const [edited, setEdited] = useState(text);
  const submit = (event: Event) => {
    event.preventDefault();
    if (edited.trim()) onSave(edited);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    onCancel();
  };
  return (
    <form class="editor" onSubmit={submit}>
      <textarea
        aria-label={say("edit")}
        rows={3}
        value={edited}
        ref={(field) => field?.focus()}
        onInput={({ currentTarget }) => setEdited(currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <div class="row">
        <button type="submit" class="primary">
          {say("save")}
        </button>
        <button type="button" class="plain" onClick={onCancel}>
          {say("cancel")}
        </button>
      </div>
    </form>
  );
}

function Reply({ chat, message, language, reading, asking, mayAsk, isLast }: MessageProps) {
  const { text, ended, error, calls = [] } = message;
  return (
    <article class="assistant" aria-busy={!ended}>
      <h2 class="visually-hidden">{say("assistant")}</h2>
      <MarkdownText text={text} language={language} />
      {calls.map((call) => (
        <p key={call.id} class="call">
          {say("call", { name: nameFor(call.function.name) })} <code>{printable(call.function.arguments)}</code>
        </p>
      ))}
      {asking && <PermissionQuestion asking={asking} />}
      {!ended && <Waiting reading={text ? undefined : reading} />}
      {endingOf(ended) && <p class="hint">{endingOf(ended)}</p>}
      {error && <ErrorText failure={error} />}
      {isCut(message) && isLast && (
        <button type="button" class="plain" disabled={!mayAsk} onClick={() => void chat.goOn(message)}>
          {say("goOn")}
        </button>
      )}
      {ended && (
        <div class="actions">
          <Versions chat={chat} message={message} />
          <CopyButton text={text} />
          <IconButton
            icon="regenerate"
            label={say("regenerate")}
            disabled={!mayAsk}
            onClick={() => void chat.regenerate(message)}
          />
          <Speed message={message} />
        </div>
      )}
    </article>
  );
}

/** The share of a long prompt that has been read. */
function Waiting({ reading }: { reading: PrefillProgress | undefined }) {
  if (!reading) return <p class="dots" aria-hidden="true" />;
  const { done, total } = reading;
  const share = number((100 * done) / total);
  return (
    <div class="reading">
      <progress aria-label={say("waiting")} max={total} value={done} />
      <p class="hint">{say("reading", { done: number(done), total: number(total), share })}</p>
    </div>
  );
}

function Speed({ message: { figures } }: { message: Message }) {
  if (!figures) return null;
  const { completionTokens, tokensPerSecond } = figures;
  const values = { tokens: number(completionTokens), rate: number(tokensPerSecond, 1) };
  return <span class="hint speed">{say("speed", values)}</span>;
}

function Result({ message: { name = "", text } }: { message: Message }) {
  return (
    <article class="tool">
      <h2 class="visually-hidden">{say("toolResult")}</h2>
      <p class="call">
        {say("returned", { name: nameFor(name) })} <code>{printable(text)}</code>
      </p>
    </article>
  );
}

function Versions({ chat, message }: { chat: Chat; message: Message }) {
  const all = versions(chat.state.conversation, message);
  const at = all.indexOf(message);
  if (all.length < 2) return null;
  const to = (place: number) => () => chat.show(all[place]!.id);
  return (
    <span class="versions">
      <IconButton icon="previous" label={say("previous")} disabled={at === 0} onClick={to(at - 1)} />
      <span>{say("version", { at: at + 1, count: all.length })}</span>
      <IconButton icon="next" label={say("next")} disabled={at === all.length - 1} onClick={to(at + 1)} />
    </span>
  );
}

function CopyButton({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  const onClick = async () => {
    setCopied(await copy(text));
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <IconButton
      icon={copied ? "copied" : "copy"}
      label={say(copied ? "copied" : "copy")}
      onClick={() => void onClick()}
    />
  );
}
