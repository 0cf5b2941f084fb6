// The application without its views: what people do, and what comes of it.

import type { LoadProgress, PrefillProgress, RunnableTool, ToolCall } from "../../core/api/api.js";
import { addDelta } from "../../core/stream/calls.js";
import { Sentences } from "../../core/stream/sentences.js";
import type { Permission, WantedCall } from "../../mcp/offer.js";
import { McpServers, type ServerState } from "../mcp/servers.js";
import type { Backend, Choice, Ended, Ready } from "../model/backend.js";
import { runCall, TOOLS } from "../model/tools.js";
import { Aloud, canSpeak } from "../speech/aloud.js";
import { say, speak } from "../text/say.js";
import { headersOf, keepHeaders } from "./headers.js";
import { keep, kept, ofTab } from "./kept.js";
import { forgetChat, freshId, type KeptChat, keepChat, keptChats, readChat, renameChat } from "./kept_chats.js";
import { fresh, replyOptions, type Settings } from "./settings.js";
import { Store } from "./store.js";
import { toMessages } from "./to_messages.js";
import { add, branch, type Conversation, change, type Message, NOTHING, show } from "./tree.js";

/** Replies with calls of tools that a message may lead to. */
const MAX_STEPS = 5;
const KEEP_MS = 2000;
/** Tokens of a context that nobody knows. */
const UNKNOWN_CONTEXT = 4096;

/** What failed: a code, and what the error says. */
export interface Failure {
  code: string | undefined;
  message: string;
}

export interface State {
  settings: Settings;
  conversation: Conversation;
  /** The conversations that are kept, and which of them is shown; one that nothing was said in is not kept. */
  chats: readonly KeptChat[];
  chatId: string;
  choices: Choice[] | undefined;
  ready: Ready | undefined;
  /** What is being loaded. */
  loading: { name: string; progress: LoadProgress | undefined } | undefined;
  /** What else there is to say of loading. */
  notice: string;
  loadFailure: Failure | undefined;
  /** Brings in another version of the page, where there is one. */
  update: (() => void) | undefined;
  /** The message that is being written, or whose calls are being made. */
  writing: { id: number; reading: PrefillProgress | undefined } | undefined;
  /** The MCP servers. */
  servers: readonly ServerState[];
  /** A call that somebody has to allow. */
  asking: Asking | undefined;
}

export interface Asking {
  /** The message that calls, and which of its calls it is. */
  message: number;
  call: string;
  wanted: WantedCall;
  answer(permission: Permission): void;
}

/** Nobody has asked for a download: what the browser has thrown away stays away. */
const GONE = new Error("no longer in the browser");

export class Chat extends Store<State> {
  readonly backend: Backend;
  #load: AbortController | undefined;
  #reply: AbortController | undefined;
  readonly #aloud = canSpeak() ? new Aloud() : undefined;
  #keeping: ReturnType<typeof setTimeout> | undefined;
  /** When what is shown was kept last. */
  #keptAt: number;
  /** The call that is being made. */
  #calling: Pick<Asking, "message" | "call"> | undefined;
  readonly #servers = new McpServers({
    onChange: (servers) => this.set({ servers }),
    ask: (wanted, signal) => this.#askFor(wanted, signal),
  });

  constructor(backend: Backend) {
    const settings = { ...fresh(), ...(kept("settings") as Partial<Settings> | undefined) };
    speak(settings.language);
    const chats = keptChats();
    const chatId = String(kept("chat", ofTab) ?? chats[0]?.id ?? freshId());
    super({
      settings,
      conversation: readChat(chatId),
      chats,
      chatId,
      choices: undefined,
      ready: undefined,
      loading: undefined,
      notice: "",
      loadFailure: undefined,
      update: undefined,
      writing: undefined,
      servers: [],
      asking: undefined,
    });
    this.backend = backend;
    this.#keptAt = chats.find(({ id }) => id === chatId)?.at ?? 0;
    for (const { url, own } of settings.servers) if (!own) void this.#servers.connect(url, headersOf(url));
  }

  /** Loads what was there the last time, or with a server what it has first. */
  async begin(): Promise<void> {
    const last = kept("model") as string | undefined;
    const crashed = kept("loading", ofTab);
    keep("loading", undefined, ofTab);
    await this.list();
    for (const { url, headers } of await this.backend.toolServers()) this.connect(url, headers, true);
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

  /** Adds an MCP server, or connects anew. */
  connect(url: string, headers = headersOf(url), own = false): void {
    keepHeaders(url, headers);
    const { servers } = this.state.settings;
    if (!servers.some((server) => server.url === url)) this.change({ servers: [...servers, { url, off: [], own }] });
    void this.#servers.connect(url, headers);
  }

  disconnect(url: string): void {
    keepHeaders(url, {});
    this.change({ servers: this.state.settings.servers.filter((server) => server.url !== url) });
    this.#servers.remove(url);
  }

  /** Offers a tool of a server to the model, or no longer. */
  switchTool(url: string, tool: string, on: boolean): void {
    const servers = this.state.settings.servers.map((server) => {
      const off = server.off.filter((name) => name !== tool);
      return server.url === url ? { ...server, off: on ? off : [...off, tool] } : server;
    });
    this.change({ servers });
  }

  /** Whether the MCP server comes with that of the page; others may be removed. */
  isOwn(url: string): boolean {
    return this.state.settings.servers.some((server) => server.url === url && server.own === true);
  }

  isOn(url: string, tool: string): boolean {
    return this.state.settings.servers.some((server) => server.url === url && !server.off.includes(tool));
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

  /** Goes on with a reply that was cut. */
  goOn(message: Message): Promise<void> {
    this.stop();
    this.#edit(message.id, { ended: undefined, error: undefined });
    return this.#answer(message);
  }

  /** Begins another conversation. */
  clear(): void {
    this.#open(freshId(), NOTHING);
  }

  /** Shows a conversation that is kept. */
  open(id: string): void {
    this.#open(id, readChat(id));
  }

  #open(chatId: string, conversation: Conversation): void {
    this.stop();
    this.keep();
    keep("chat", chatId, ofTab);
    const chats = keptChats();
    this.#keptAt = chats.find(({ id }) => id === chatId)?.at ?? 0;
    this.set({ chatId, conversation, chats });
  }

  rename(id: string, name: string): void {
    this.keep();
    renameChat(id, name);
    this.set({ chats: keptChats() });
  }

  forget(id: string): void {
    if (id === this.state.chatId) this.clear();
    forgetChat(id);
    this.set({ chats: keptChats() });
  }

  #change(conversation: Conversation): void {
    this.set({ conversation });
    this.#keeping ??= setTimeout(() => this.keep(), KEEP_MS);
  }

  /** Keeps what was said since the last time. */
  keep(): void {
    if (this.#keeping === undefined) return;
    clearTimeout(this.#keeping);
    this.#keeping = undefined;
    const { conversation } = this.state;
    if (conversation.leaf === undefined) return;
    const chatId = this.#ownId();
    keep("chat", chatId, ofTab);
    if (!keepChat(chatId, conversation)) this.set({ notice: say("noRoom") });
    const chats = keptChats();
    this.#keptAt = chats[0]?.at ?? 0;
    this.set({ chatId, chats });
  }

  /** Of what is shown; another one where another tab has gone on with it, so that neither loses what was said. */
  #ownId(): string {
    const { chatId } = this.state;
    const isElsewhere = keptChats().some(({ id, at }) => id === chatId && at > this.#keptAt);
    return isElsewhere ? freshId() : chatId;
  }

  /** Looks which conversations are kept, also by other tabs. */
  listChats(): void {
    this.keep();
    this.set({ chats: keptChats() });
  }

  /** Lets the model answer, and tools, until it calls none. @param begun a reply that is gone on with */
  async #answer(begun?: Message): Promise<void> {
    const controller = new AbortController();
    this.#reply = controller;
    if (this.state.settings.aloud) this.#aloud?.begin(this.state.settings.language);
    for (let step = 1; ; step++) {
      const { message, calls, tools } = await this.#write(controller, step === 1, step === 1 ? begun : undefined);
      if (calls.length === 0 || controller.signal.aborted) break;
      if (step === MAX_STEPS) {
        this.#edit(message, { ended: "steps" });
        break;
      }
      await this.#run(message, calls, tools, controller.signal);
      if (controller.signal.aborted) break;
    }
    if (this.#reply === controller) this.#reply = undefined;
  }

  /** Makes the calls of a message, one after the other. */
  async #run(message: number, calls: readonly ToolCall[], tools: readonly RunnableTool[], signal: AbortSignal) {
    this.set({ writing: { id: message, reading: undefined } });
    for (const call of calls) {
      this.#calling = { message, call: call.id };
      const text = await runCall(call, tools, signal);
      if (signal.aborted) return;
      const { name } = call.function;
      const { conversation } = this.state;
      this.#change(add(conversation, conversation.leaf, { role: "tool", text, callId: call.id, name }));
    }
    this.set({ writing: undefined });
  }

  /** Asks whether the call that is being made may be. @throws the reason of the signal */
  #askFor(wanted: WantedCall, signal: AbortSignal | undefined): Promise<Permission> {
    return new Promise((resolve, reject) => {
      const done = () => this.set({ asking: undefined });
      const answer = (permission: Permission) => {
        done();
        resolve(permission);
      };
      signal?.addEventListener("abort", () => {
        done();
        reject(signal.reason);
      });
      this.set({ asking: { ...this.#calling!, wanted, answer } });
    });
  }

  /** The tools that are there, and what calls are run with. */
  async #tools(signal: AbortSignal): Promise<RunnableTool[]> {
    const own = this.state.settings.tools ? TOOLS : [];
    const wanted = {
      taken: own.map(({ function: { name } }) => name),
      isOn: (url: string, tool: string) => this.isOn(url, tool),
      contextLength: this.state.ready?.contextLength ?? UNKNOWN_CONTEXT,
    };
    return [...own, ...(await this.#servers.offered(wanted, signal))];
  }

  /** One reply of the model. @param first whether nothing has been called yet */
  async #write(
    { signal }: AbortController,
    first: boolean,
    begun: Message | undefined,
  ): Promise<{ message: number; calls: readonly ToolCall[]; tools: readonly RunnableTool[] }> {
    const { conversation, settings } = this.state;
    const asked = branch(conversation);
    if (!begun) this.#change(add(conversation, conversation.leaf, { role: "assistant", text: "" }));
    const message = this.state.conversation.leaf!;
    this.set({ writing: { id: message, reading: undefined } });
    const calls: ToolCall[] = [];
    const sentences = new Sentences();
    let text = begun?.text ?? "";
    let tools: RunnableTool[] = [];
    try {
      tools = await this.#tools(signal);
      const onPrefill = (reading: PrefillProgress) => signal.aborted || this.set({ writing: { id: message, reading } });
      const offered = tools.length > 0 && {
        tools: tools.map(({ type, function: declared }) => ({ type, function: declared })),
        mustCall: first && !begun && settings.mustCall,
      };
      const options = { ...replyOptions(settings), ...offered, goesOn: begun !== undefined, signal, onPrefill };
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
    if (signal.aborted) return { message, calls: [], tools };
    this.set({ writing: undefined });
    if (this.state.ready?.chats === undefined) await this.#lookAgain();
    return { message, calls, tools };
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
