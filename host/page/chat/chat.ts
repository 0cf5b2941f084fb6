// The application without its views: what people do, and what comes of it.

import type { ChatMessage, LoadProgress, PrefillProgress, ToolCall } from "../../core/api/api.js";
import { addDelta } from "../../core/stream/calls.js";
import { Sentences } from "../../core/stream/sentences.js";
import type { Backend, Choice, Ended, Ready } from "../model/backend.js";
import { runCall } from "../model/tools.js";
import { Aloud, canSpeak } from "../speech/aloud.js";
import { say, speak } from "../text/say.js";
import { keep, kept, ofTab } from "./kept.js";
import { fresh, replyOptions, type Settings } from "./settings.js";
import { Store } from "./store.js";
import { add, branch, type Conversation, change, type Message, NOTHING, revived, show } from "./tree.js";

/** Replies with calls of tools that a message may lead to. */
const MAX_STEPS = 5;
const KEEP_MS = 2000;

/** What failed: a code, and what the error says. */
export interface Failure {
  code: string | undefined;
  message: string;
}

export interface State {
  settings: Settings;
  conversation: Conversation;
  choices: Choice[] | undefined;
  ready: Ready | undefined;
  /** What is being loaded. */
  loading: { name: string; progress: LoadProgress | undefined } | undefined;
  /** What else there is to say of loading. */
  notice: string;
  loadFailure: Failure | undefined;
  /** Brings in another version of the page, where there is one. */
  update: (() => void) | undefined;
  /** The message that is being written. */
  writing: { id: number; reading: PrefillProgress | undefined } | undefined;
}

/** Nobody has asked for a download: what the browser has thrown away stays away. */
const GONE = new Error("no longer in the browser");

export class Chat extends Store<State> {
  readonly backend: Backend;
  #load: AbortController | undefined;
  #reply: AbortController | undefined;
  readonly #aloud = canSpeak() ? new Aloud() : undefined;
  #keeping: ReturnType<typeof setTimeout> | undefined;

  constructor(backend: Backend) {
    const settings = { ...fresh(), ...(kept("settings") as Partial<Settings> | undefined) };
    speak(settings.language);
    super({
      settings,
      conversation: revived(kept("conversation")),
      choices: undefined,
      ready: undefined,
      loading: undefined,
      notice: "",
      loadFailure: undefined,
      update: undefined,
      writing: undefined,
    });
    this.backend = backend;
  }

  /** Loads what was there the last time, or with a server what it has first. */
  async begin(): Promise<void> {
    const last = kept("model") as string | undefined;
    const crashed = kept("loading", ofTab);
    keep("loading", undefined, ofTab);
    await this.list();
    const { choices = [], ready, loading } = this.state;
    if (ready || loading) return; // somebody was faster
    if (this.backend.kind === "server") {
      const choice = choices.find(({ id }) => id === last) ?? choices[0];
      if (choice) await this.load(choice.id, choice.name);
    } else if (crashed) {
      this.set({ notice: say("crashed", { name: String(crashed) }) });
    } else if (last !== undefined) {
      const name = choices.find(({ id }) => id === last)?.name ?? last;
      await this.load(last, name, false);
    }
  }

  async list(): Promise<void> {
    try {
      this.set({ choices: await this.backend.choices() });
    } catch (error) {
      this.set({ loadFailure: failureOf(error) });
    }
  }

  /** @param mayDownload whether what is not in the browser may be fetched */
  async load(source: string | File, name: string, mayDownload = true): Promise<void> {
    this.stop();
    this.#load?.abort();
    const controller = new AbortController();
    this.#load = controller;
    keep("model", undefined);
    keep("loading", name, ofTab);
    this.set({ loading: { name, progress: undefined }, ready: undefined, loadFailure: undefined, notice: "" });
    const onProgress = (progress: LoadProgress) => {
      if (progress.phase === "download" && !mayDownload) controller.abort(GONE);
      else if (this.#load === controller) this.set({ loading: { name, progress } });
    };
    try {
      const ready = await this.backend.load(source, { signal: controller.signal, onProgress });
      if (this.#load !== controller) return;
      keep("model", ready.id);
      this.set({ ready, notice: ready.keeps === false ? say("notKept") : "" });
    } catch (error) {
      if (this.#load !== controller) return;
      const stopped = controller.signal.aborted;
      const gone = controller.signal.reason === GONE;
      this.set({
        notice: stopped ? say(gone ? "gone" : "stoppedLoading", { name }) : "",
        loadFailure: stopped ? undefined : failureOf(error),
      });
    }
    this.#load = undefined;
    keep("loading", undefined, ofTab);
    this.set({ loading: undefined });
    await this.list();
  }

  stopLoading(): void {
    this.#load?.abort();
  }

  async remove({ id }: Choice): Promise<void> {
    try {
      await this.backend.remove(id);
    } catch (error) {
      this.set({ loadFailure: failureOf(error) });
    }
    await this.list();
  }

  change(settings: Partial<Settings>): void {
    const all = { ...this.state.settings, ...settings };
    speak(all.language);
    keep("settings", all);
    if (settings.aloud === false) this.#aloud?.stop();
    this.set({ settings: all });
    if (settings.language) void this.list(); // its notes are texts
  }

  /** Says something, behind what is shown. */
  say(text: string): Promise<void> {
    this.stop();
    return this.#ask(text, this.state.conversation.leaf);
  }

  /** Says something else in the place of a message. */
  edit({ parent }: Message, text: string): Promise<void> {
    this.stop();
    return this.#ask(text, parent);
  }

  #ask(text: string, parent: number | undefined): Promise<void> {
    this.#change(add(this.state.conversation, parent, { role: "user", text }));
    return this.#answer();
  }

  /** Writes another version of a reply. */
  regenerate({ parent }: Message): Promise<void> {
    this.stop();
    this.#change({ ...this.state.conversation, leaf: parent });
    return this.#answer();
  }

  show(id: number): void {
    this.stop();
    this.#change(show(this.state.conversation, id));
  }

  /** Ends what is being written; what has come stays. */
  stop(): void {
    this.#reply?.abort();
    this.#reply = undefined;
    this.#aloud?.stop();
    const { writing } = this.state;
    if (!writing) return;
    this.#edit(writing.id, { ended: "stopped" });
    this.set({ writing: undefined });
  }

  clear(): void {
    this.stop();
    this.#change(NOTHING);
  }

  #change(conversation: Conversation): void {
    this.set({ conversation });
    this.#keeping ??= setTimeout(() => this.keep(), KEEP_MS);
  }

  /** Keeps what was said. */
  keep(): void {
    clearTimeout(this.#keeping);
    this.#keeping = undefined;
    keep("conversation", this.state.conversation);
  }

  /** Lets the model answer, and tools, until it calls none. */
  async #answer(): Promise<void> {
    const controller = new AbortController();
    this.#reply = controller;
    if (this.state.settings.aloud) this.#aloud?.begin(this.state.settings.language);
    for (let step = 1; ; step++) {
      const { message, calls } = await this.#write(controller);
      if (calls.length === 0 || controller.signal.aborted) break;
      if (step === MAX_STEPS) {
        this.#edit(message, { ended: "steps" });
        break;
      }
      for (const call of calls) {
        const text = await runCall(call);
        const { name } = call.function;
        const { conversation } = this.state;
        this.#change(add(conversation, conversation.leaf, { role: "tool", text, callId: call.id, name }));
      }
    }
    if (this.#reply === controller) this.#reply = undefined;
  }

  /** One reply of the model. */
  async #write({ signal }: AbortController): Promise<{ message: number; calls: readonly ToolCall[] }> {
    const { conversation, settings } = this.state;
    const asked = branch(conversation);
    this.#change(add(conversation, conversation.leaf, { role: "assistant", text: "" }));
    const message = this.state.conversation.leaf!;
    this.set({ writing: { id: message, reading: undefined } });
    const calls: ToolCall[] = [];
    const sentences = new Sentences();
    let text = "";
    try {
      const onPrefill = (reading: PrefillProgress) => signal.aborted || this.set({ writing: { id: message, reading } });
      const options = { ...replyOptions(settings), signal, onPrefill };
      const reply = this.backend.reply(toMessages(asked, settings.system), options);
      let next = await reply.next();
      for (; !next.done; next = await reply.next()) {
        if (signal.aborted) break;
        text += next.value.text;
        this.#read(sentences.add(next.value.text));
        for (const delta of next.value.toolCalls ?? []) addDelta(calls, delta);
        this.#edit(message, { text, ...(calls.length > 0 && { calls: structuredClone(calls) }) });
      }
      if (next.done && !signal.aborted) {
        this.#read(sentences.end());
        this.#edit(message, next.value);
      }
    } catch (error) {
      calls.length = 0;
      if (!signal.aborted) this.#fail(message, failureOf(error));
    }
    if (signal.aborted) return { message, calls: [] };
    this.set({ writing: undefined });
    if (this.state.ready?.chats === undefined) await this.#lookAgain();
    return { message, calls };
  }

  /** Reads sentences aloud, where somebody wants that. */
  #read(sentences: readonly string[]): void {
    if (this.state.settings.aloud) for (const sentence of sentences) this.#aloud?.say(sentence);
  }

  #fail(message: number, error: Failure): void {
    this.#edit(message, { ended: "failed", error });
    if (error.code === "THREAD_FAILED") this.set({ ready: undefined });
  }

  /** What a server's model is shows when it has answered. */
  async #lookAgain(): Promise<void> {
    const { ready } = this.state;
    if (this.backend.kind !== "server" || !ready?.id) return;
    const handlers = { signal: new AbortController().signal, onProgress() {} };
    const known = await this.backend.load(ready.id, handlers).catch(() => ready);
    if (this.state.ready === ready) this.set({ ready: known });
  }

  #edit(id: number, changes: Partial<Pick<Message, "text" | "calls" | "ended" | "error" | "figures">>): void {
    if (this.state.conversation.messages[id]) this.#change(change(this.state.conversation, id, changes));
  }
}

/** The conversation as models take it. */
function toMessages(messages: readonly Message[], system: string): ChatMessage[] {
  const said = messages.map(({ role, text, calls, callId, name }): ChatMessage => {
    if (role === "tool") return { role, content: text, tool_call_id: callId, name };
    return calls ? { role, content: text || null, tool_calls: calls } : { role, content: text };
  });
  return system.trim() === "" ? said : [{ role: "system", content: system }, ...said];
}

function failureOf(error: unknown): Failure {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return { code: typeof code === "string" ? code : undefined, message: String(message ?? error) };
}

/** Why a reply ended, for those who should know. */
export function endingOf(ended: Ended | undefined): string {
  if (ended === "stopped") return say("endedStopped");
  if (ended === "length") return say("endedLength");
  if (ended === "context") return say("endedContext");
  if (ended === "loop") return say("endedLoop");
  return ended === "steps" ? say("endedSteps") : "";
}
