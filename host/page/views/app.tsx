// All that is seen.

import { useEffect, useReducer, useState } from "preact/hooks";
import type { Chat } from "../chat/chat.js";
import { branch } from "../chat/tree.js";
import { say } from "../text/say.js";
import { Announcer } from "./announcer.js";
import { Chats } from "./chats.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { LoadStatus } from "./load_status.js";
import { Dialog } from "./parts/dialog.js";
import { IconButton } from "./parts/icons.js";
import { nameFor } from "./parts/words.js";
import { Picker } from "./picker.js";
import { SettingsForm } from "./settings/form.js";

type Open = "picker" | "chats" | "settings" | undefined;

export function App({ chat }: { chat: Chat }) {
  const [, follow] = useReducer((count: number) => count + 1, 0);
  const [open, setOpen] = useState<Open>();
  useEffect(() => chat.follow(() => follow(undefined)), [chat]);
  const { settings } = chat.state;
  const { language, theme } = settings;
  useEffect(() => {
    Object.assign(document.documentElement, { lang: language });
    document.documentElement.dataset.theme = theme;
  }, [language, theme]);
  const close = () => setOpen(undefined);
  const show = (open: Open) => {
    if (open === "chats") chat.listChats();
    setOpen(open);
  };
  /** Loads what somebody picked. What the page loads by itself closes nothing: somebody may be picking then. */
  const pick = async (source: string | File, name: string) => {
    await chat.load(source, name);
    if (chat.state.ready && !chat.state.loading) setOpen((open) => (open === "picker" ? undefined : open));
  };
  useDrop(chat, pick);
  return (
    <>
      <Header chat={chat} onOpen={show} />
      <main>
        <Conversation chat={chat} onPick={() => setOpen("picker")} />
        <Composer chat={chat} onPick={() => setOpen("picker")} onTools={() => setOpen("settings")} />
      </main>
      <Dialog id="picker" title={say("models")} open={open === "picker"} onClose={close}>
        <Picker chat={chat} onPick={pick} />
      </Dialog>
      <Dialog id="chats" title={say("chats")} open={open === "chats"} onClose={close}>
        <Chats chat={chat} onPick={close} />
      </Dialog>
      <Dialog id="settings" title={say("settings")} open={open === "settings"} onClose={close}>
        <SettingsForm chat={chat} />
      </Dialog>
      <Announcer messages={branch(chat.state.conversation)} />
    </>
  );
}

function Header({ chat, onOpen }: { chat: Chat; onOpen(open: Open): void }) {
  const { ready, loading, update } = chat.state;
  const name = ready?.name ?? loading?.name;
  return (
    <header id="top">
      <h1>
        zagreus<span class="faint">-edge</span>
      </h1>
      <button type="button" id="model" aria-haspopup="dialog" onClick={() => onOpen("picker")}>
        <span class="visually-hidden">{say("model")}: </span>
        <bdi>{name ? nameFor(name) : say("choose")}</bdi>
      </button>
      {update && (
        <button type="button" class="plain" onClick={update}>
          {say("update")}
        </button>
      )}
      <IconButton icon="add" label={say("newChat")} onClick={() => chat.clear()} />
      <IconButton icon="chats" label={say("chats")} onClick={() => onOpen("chats")} />
      <IconButton icon="settings" label={say("settings")} onClick={() => onOpen("settings")} />
      <LoadStatus chat={chat} />
    </header>
  );
}

/** A file that is dropped anywhere is loaded. */
function useDrop(chat: Chat, onDrop: (file: File, name: string) => void) {
  useEffect(() => {
    if (chat.backend.kind !== "page") return;
    const mark = (dropping: boolean) => document.body.classList.toggle("dropping", dropping);
    const over = (event: DragEvent) => {
      event.preventDefault();
      mark(true);
    };
    const leave = () => mark(false);
    const drop = (event: DragEvent) => {
      event.preventDefault();
      mark(false);
      const file = event.dataTransfer?.files[0];
      if (file) onDrop(file, file.name);
    };
    addEventListener("dragover", over);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop);
    };
  }, [chat]);
}
