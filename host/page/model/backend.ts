// What answers: a model in this page, or the server that the page comes from.

import type {
  ChatFinishReason,
  ChatMessage,
  GenerateOptions,
  LoadProgress,
  ModelInfo,
  PrefillProgress,
  ResponseFormat,
  SamplingDefaults,
  Tool,
  ToolCallDelta,
} from "../../core/api/api.js";

/** Why a reply ended; "failed" has an error. */
export type Ended = ChatFinishReason | "stopped" | "failed" | "steps";

/** What a reply has used. */
export interface Figures {
  promptTokens: number;
  completionTokens: number;
  tokensPerSecond: number;
}

/** A model that can be had. */
export interface Choice {
  /** What load() takes. */
  id: string;
  name: string;
  /** What else there is to say of it. */
  note: string;
  /** Whether it is kept in the browser, whole or not, and may be removed. */
  kept?: boolean | undefined;
}

/** A model that answers. */
export interface Ready {
  name: string;
  /** What load() took, if that can be asked for again. */
  id: string | undefined;
  /** Whether it knows conversations; undefined: not known. */
  chats: boolean | undefined;
  contextLength: number | undefined;
  /** False where its file would be kept, but the browser keeps none. */
  keeps?: boolean | undefined;
  /** Of a model in the page. */
  info?: ModelInfo | undefined;
}

/** Options of a reply, as in GenerateOptions; the model's own where they are not there. */
export interface ReplyOptions
  extends Pick<GenerateOptions, "temperature" | "topP" | "topK" | "minP" | "repetitionPenalty" | "maxTokens" | "seed"> {
  tools?: readonly Tool[] | undefined;
  /** Whether a tool has to be called. */
  mustCall?: boolean;
  /** Whether the last message is a reply that is gone on with. */
  goesOn?: boolean;
  responseFormat?: ResponseFormat | undefined;
  signal: AbortSignal;
  onPrefill(progress: PrefillProgress): void;
}

/** What is new of a reply. */
export interface ReplyPart {
  text: string;
  toolCalls?: readonly ToolCallDelta[] | undefined;
}

export interface LoadHandlers {
  signal: AbortSignal;
  onProgress(progress: LoadProgress): void;
}

export interface Backend {
  readonly kind: "page" | "server";
  /** What can be had, kept ones first. */
  choices(): Promise<Choice[]>;
  /** Makes a model ready; the one before is gone then. */
  load(source: string | File, handlers: LoadHandlers): Promise<Ready>;
  /** MCP servers that come with it: paths beside the page, and headers for them. */
  toolServers(): Promise<ToolServer[]>;
  /** Removes what is kept of a model. */
  remove(id: string): Promise<void>;
  /** How the makers of the model sample it, as far as that is known here. */
  defaults(): SamplingDefaults;
  /** Answers a conversation; a model that knows none continues its last message. */
  reply(messages: readonly ChatMessage[], options: ReplyOptions): AsyncGenerator<ReplyPart, ReplyEnd>;
}

export interface ToolServer {
  url: string;
  headers: Record<string, string>;
}

export interface ReplyEnd {
  ended: Ended;
  figures: Figures | undefined;
}

/** The text that a model without conversations continues: what was said last, with what it has begun to reply. */
export const lastText = (messages: readonly ChatMessage[], goesOn = false) =>
  messages
    .slice(goesOn ? -2 : -1)
    .map(({ content }) => content ?? "")
    .join("");
