// The Prompt API's types: https://webmachinelearning.github.io/prompt-api, and the tools of its explainer.

import type { GenerateOptions, LoadProgress, Model } from "../../api/api.js";
import type { OffloadedModel } from "../../offload/api.js";
import type { LanguageModelToolCall, LanguageModelToolError, LanguageModelToolSuccess } from "./tool_values.js";

/** Whether a session can be made: at once, after a download that is under way, after one that is not, or never. */
export type Availability = "unavailable" | "downloadable" | "downloading" | "available";

/** How much answers vary: docs/prompt-api.md has what each is for this engine. */
export type LanguageModelSamplingMode =
  | "most-predictable"
  | "predictable"
  | "slightly-predictable"
  | "balanced"
  | "slightly-creative"
  | "creative"
  | "most-creative";

export type LanguageModelMessageRole = "system" | "user" | "assistant";
export type LanguageModelMessageType = "text" | "image" | "audio" | "tool-call" | "tool-response";

/** A kind of content that is going to be used. */
export interface LanguageModelExpected {
  /** "image" and "audio" are unavailable. */
  type: LanguageModelMessageType;
  /** BCP 47 language tags. */
  languages?: readonly string[] | undefined;
}

/** A part of a message. Values of type "image" and "audio" are refused. */
export type LanguageModelMessageContent =
  | { type: "text"; value: string }
  | { type: "tool-call"; value: LanguageModelToolCall }
  | { type: "tool-response"; value: LanguageModelToolSuccess | LanguageModelToolError }
  | { type: "image" | "audio"; value: unknown };

export interface LanguageModelMessage {
  role: LanguageModelMessageRole;
  content: string | readonly LanguageModelMessageContent[];
  /** Of the last message, an assistant's: the answer goes on from it. Default: false. */
  prefix?: boolean | undefined;
}

/** Messages, or the text of one of the user. */
export type LanguageModelPrompt = string | readonly LanguageModelMessage[];

/** A function that the model may call. */
export interface LanguageModelTool {
  name: string;
  description: string;
  /** The JSON schema of its arguments, of type "object". */
  inputSchema: object;
  /**
   * Where every tool has one, it is called, and the answer is the model's last; what it throws goes to the model. Otherwise calls are
   * the answer.
   */
  // biome-ignore lint/suspicious/noExplicitAny: valid against inputSchema
  execute?: ((args: any) => unknown) | undefined;
}

/** What availability() is asked about. */
export interface LanguageModelCreateCoreOptions {
  /** Default: "balanced". */
  samplingMode?: LanguageModelSamplingMode | undefined;
  /** Without effect unless the class has `extensionMembers`; then both of these or neither. */
  topK?: number | undefined;
  /** Without effect unless the class has `extensionMembers`. */
  temperature?: number | undefined;
  expectedInputs?: readonly LanguageModelExpected[] | undefined;
  /** Tools need { type: "tool-call" } among them. */
  expectedOutputs?: readonly LanguageModelExpected[] | undefined;
  tools?: readonly LanguageModelTool[] | undefined;
}

export interface LanguageModelCreateOptions extends LanguageModelCreateCoreOptions {
  /** Ends create(), and later the session. */
  signal?: AbortSignal | undefined;
  /** Called at once with the target of "downloadprogress" events. */
  monitor?: ((monitor: CreateMonitor) => void) | undefined;
  /** What the session begins with, and never forgets. */
  initialPrompts?: readonly LanguageModelMessage[] | undefined;
}

/** The target of "downloadprogress" events, from 0 to 1. */
export interface CreateMonitor extends EventTarget {
  ondownloadprogress: ((event: DownloadProgressEvent) => unknown) | null;
  addEventListener(
    type: "downloadprogress",
    listener: (event: DownloadProgressEvent) => unknown,
    options?: Parameters<EventTarget["addEventListener"]>[2],
  ): void;
  addEventListener(...listening: Parameters<EventTarget["addEventListener"]>): void;
}

/** A ProgressEvent. */
export interface DownloadProgressEvent extends Event {
  readonly lengthComputable: boolean;
  /** The share that is here, from 0 to 1. */
  readonly loaded: number;
  /** 1. */
  readonly total: number;
}

export interface LanguageModelPromptOptions {
  /** What the answer must be: a RegExp that matches the whole of it, or a JSON schema. */
  responseConstraint?: object | undefined;
  /** Leaves the schema out of the prompt. Default: false. */
  omitResponseConstraintInput?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

export interface LanguageModelAppendOptions {
  signal?: AbortSignal | undefined;
}

export type LanguageModelCloneOptions = LanguageModelAppendOptions;

/** What an answer with calls is made of: text first, if there is some, then the calls. */
export type LanguageModelAnswerPart =
  | { type: "text"; value: string }
  | { type: "tool-call"; value: LanguageModelToolCall };

/** What params() says. */
export interface LanguageModelParams {
  readonly defaultTopK: number;
  readonly maxTopK: number;
  readonly defaultTemperature: number;
  readonly maxTemperature: number;
}

/** A session. */
export interface LanguageModel extends EventTarget {
  /**
   * The answer; its parts where it has calls of tools that are not executed here, which nobody sees who declares none.
   * @throws DOMException | TypeError by rejecting, as docs/prompt-api.md says
   */
  // biome-ignore lint/suspicious/noExplicitAny: a string but for calls, as the standard's type says
  prompt(input: LanguageModelPrompt, options?: LanguageModelPromptOptions): Promise<any>;
  /** The answer as it comes: strings, and { type: "tool-call", value } for calls. Cancelling stops the model. */
  // biome-ignore lint/suspicious/noExplicitAny: strings but for calls, as the standard's type says
  promptStreaming(input: LanguageModelPrompt, options?: LanguageModelPromptOptions): ReadableStream<any>;
  /** Adds to the session without asking for an answer. */
  append(input: LanguageModelPrompt, options?: LanguageModelAppendOptions): Promise<undefined>;
  /** Tokens that an input takes. */
  measureContextUsage(input: LanguageModelPrompt, options?: LanguageModelPromptOptions): Promise<number>;
  /** Tokens that the session takes. */
  readonly contextUsage: number;
  /** Tokens that a session may take before its oldest prompts go. */
  readonly contextWindow: number;
  /** Called when prompts have been dropped to make room. */
  oncontextoverflow: ((event: Event) => unknown) | null;
  /** Null where topK and temperature were given. */
  readonly samplingMode: LanguageModelSamplingMode | null;
  /** A session with the same past. */
  clone(options?: LanguageModelCloneOptions): Promise<LanguageModel>;
  /** Ends what runs and frees the session; the model goes with its last session. */
  destroy(): void;
  /** With `extensionMembers`: the most that there is where nobody limits it. */
  readonly topK?: number | undefined;
  /** With `extensionMembers`: what is in effect. */
  readonly temperature?: number | undefined;
  /** @deprecated contextUsage; with `extensionMembers` */
  readonly inputUsage?: number;
  /** @deprecated contextWindow; with `extensionMembers` */
  readonly inputQuota?: number;
  /** @deprecated measureContextUsage(); with `extensionMembers` */
  measureInputUsage?: LanguageModel["measureContextUsage"];
  /** @deprecated oncontextoverflow; with `extensionMembers` */
  onquotaoverflow?: ((event: Event) => unknown) | null;
}

/** The class LanguageModel. */
export interface LanguageModelClass {
  readonly prototype: LanguageModel;
  /** It is no constructor: create(). */
  new (illegal: never): LanguageModel;
  /** A new session. @throws DOMException | TypeError | RangeError by rejecting, as docs/prompt-api.md says */
  create(options?: LanguageModelCreateOptions): Promise<LanguageModel>;
  /** Whether create() with these options has to download, or cannot succeed. */
  availability(options?: LanguageModelCreateCoreOptions): Promise<Availability>;
  /** With `extensionMembers`: the sampling parameters' defaults and limits; null where there is no model. */
  params?(): Promise<LanguageModelParams | null>;
}

/** What a model has to have to answer: load() gives such. */
export type PromptModel = Pick<Model | OffloadedModel, "info" | "closed" | "tokenize" | "complete" | "close">;

/** Loads a model; `signal` aborts when nobody waits any more, `onProgress` is as load() calls it. */
export type LoadPromptModel = (options: {
  signal: AbortSignal;
  onProgress: (progress: LoadProgress) => void;
}) => Promise<PromptModel>;

/** Options of languageModel(). */
export interface LanguageModelOptions<Source = never> extends ClassOptions {
  /** A source of load(), a model that is loaded (and stays the caller's to close), or a function that loads one. */
  model: Source | PromptModel | LoadPromptModel;
  /** Whether a function as `model` has to download. Default: "downloadable" until it has loaded. */
  availability?: (() => Availability | Promise<Availability>) | undefined;
}

/** Options that a class keeps. */
export interface ClassOptions {
  /** The chat template instead of the model's own, or the name of a built-in one. */
  template?: string | undefined;
  /** Further variables of the template. */
  templateVariables?: Readonly<Record<string, unknown>> | undefined;
  /** Languages that the model knows: all others are unavailable. Default: any but "und", "unk" and "mul". */
  languages?: readonly string[] | undefined;
  /** Tokens of an answer at most. Default: what is left of the model's context. */
  maxTokens?: number | undefined;
  /** Options of a generation that come before those of the sampling mode. */
  generation?: Pick<GenerateOptions, "topP" | "minP" | "repetitionPenalty" | "noRepeatNgram" | "loopStop"> | undefined;
  /**
   * Also the members that browsers keep for extensions: params(), topK, temperature, and the names inputUsage, inputQuota,
   * measureInputUsage and quotaoverflow of before. Default: false.
   */
  extensionMembers?: boolean | undefined;
  /** Refuses to download before the user has touched the page, as browsers do. Default: false. */
  requireUserActivation?: boolean | undefined;
}
