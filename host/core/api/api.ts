// The public surface: every type that callers meet.

/// <reference lib="esnext.disposable" preserve="true" />

/** Element type of the KV cache: 8-bit integers with a scale per head and position, 16-bit floats, or 32-bit floats. */
export type KvType = "int8" | "int4" | "f16" | "f32";
/** Builds of the core: plain or relaxed SIMD, with (-mt) or without threads. All give the same bits. */
export type Build = "simd" | "relaxed" | "simd-mt" | "relaxed-mt";

/**
 * A value of a GGUF file's metadata. 64-bit integers beyond 2^53 come as decimal text, arrays and long strings as their type and count
 * (of bytes).
 */
export type MetadataValue = number | boolean | string | { type: string; count: number };

/** How far load() is. */
export interface LoadProgress {
  /**
   * "download": from the hub to its cache; "calibrate" and "quantize": safetensors to a GGUF file, the first time; "header": metadata,
   * vocabulary, tensor list; "weights": the tensors.
   */
  phase: "download" | "calibrate" | "quantize" | "header" | "weights";
  /** Bytes of the file that this phase has dealt with. */
  loadedBytes: number;
  /** Size of the file in bytes; undefined as long as it is not known. */
  totalBytes: number | undefined;
}

/** How safetensors become a GGUF file in the cache. */
export interface QuantizeOnLoad {
  /** Element type of every matrix. Default: that of a file that was made before, else "q4_0". */
  type?: "q4_0" | "q8_0" | undefined;
  /** Whether int4 is chosen by what a text needs, which takes hours. Default: false, but a file that was made so is taken. */
  calibrate?: boolean | undefined;
  /** Whether the safetensors stay in the cache when the file is there. Default: false, unless they were there before. */
  keepSource?: boolean | undefined;
}

/** Options of load() and inspect(). */
export interface LoadOptions {
  /** Positions (tokens) of a text at most. Default: the model's own context, at most 4,096. */
  contextLength?: number | undefined;
  /** Element type of the KV cache: "int8" (default), "int4" (half of its bytes, less exact), "f16", or "f32". */
  kvType?: KvType | undefined;
  /** Bytes of linear memory that the model may take; more is refused before the first weight. Default: no limit. */
  memoryBudget?: number | undefined;
  /** Build of the core. Default: the best one that works here. @throws ZagreusError UNSUPPORTED_RUNTIME if it does not */
  build?: Build | undefined;
  /**
   * Threads of the core, the caller's among them. Where there are none, or they cannot start and `build` does not insist on them, the
   * model runs on 1, see ModelInfo.threads.
   * Default: one for each core of the machine, at most 4.
   */
  threads?: number | undefined;
  /**
   * Completions, chats and other calls that run at once, at most 16; others wait. Each costs some bytes for a token of contextLength.
   * Default 16, on small hosts less.
   */
  sequences?: number | undefined;
  /**
   * Bytes that the KV cache has besides those of one context: for calls that run at once, and for what sessions and prompts have left, so
   * that others go on without running again what they share. The least recently used go first. Part of the plan, and less where memory
   * ends. Default 64 MiB, on small hosts less.
   */
  cacheBudget?: number | undefined;
  /**
   * Keeps what prompts begin with on the disk, so that it need not be run again after a restart: in `folder` (default: of the machine's cache;
   * in browsers of the origin's private file system, in a worker only), up to `bytes` (default 1 GiB), of which the least recently used go first.
   * What is written tells the prompts, to this user only. Prompts find what was run by the same model, KV type, adapters and cacheSalt. Default: false.
   */
  promptCache?: boolean | { folder?: string | undefined; bytes?: number | undefined } | undefined;
  /** Room for adapters (LoRA) beside the model: how many at a time (1 to 16), and their rank at most (default 16). Default: none. */
  adapters?: { slots: number; rank?: number | undefined } | undefined;
  /** How a model of the hub becomes a GGUF file in its cache if its makers publish safetensors only. */
  quantize?: QuantizeOnLoad | undefined;
  /** Stops loading: load() rejects with ABORTED. */
  signal?: AbortSignal | undefined;
  /** Called as loading goes on, after every chunk. */
  onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** Where linear memory goes, in bytes. */
export interface Plan {
  /** Bytes of the packed weights. */
  weights: number;
  /** Bytes of the KV cache: for contextLength positions, and cacheBudget. */
  kvCache: number;
  /** Bytes of the buffers between the layers, for one batch of tokens. */
  activations: number;
  /** Bytes of the vocabulary and the merges. */
  tokenizer: number;
  /** Bytes of the logits and of the sampler's scratch. */
  sampler: number;
  /** Bytes of the list of tensors. */
  tensorRecords: number;
  /** Bytes of the room for adapters. */
  adapters: number;
  /** Bytes of the arena: weights, kvCache, activations, tokenizer, sampler, tensorRecords and adapters together. */
  arena: number;
  /** Bytes of linear memory: the arena and what the core has beside it. */
  memory: number;
}

/** A tensor of the file. */
export interface TensorInfo {
  /** As the file calls it, such as "blk.0.attn_q.weight". */
  name: string;
  /** Name of its ggml type, such as "Q4_0". */
  type: string;
  /** Innermost dimension first, as GGUF writes them. */
  dimensions: number[];
  /** Bytes from the start of the file. */
  offset: number;
  /** Bytes of its elements or blocks in the file. */
  bytes: number;
}

/** Options of a generation that the makers of a model recommend. */
export type SamplingDefaults = Pick<
  GenerateOptions,
  "temperature" | "topP" | "repetitionPenalty" | "noRepeatNgram" | "loopStop"
>;

/** What options of a generation are where nobody gives them, as far as the model's makers have said. */
export interface ModelSampling {
  /** Of complete(). */
  text: SamplingDefaults;
  /** Of chat(). */
  chat: SamplingDefaults;
  /** Of chat() where there are tools or a responseFormat. */
  structure: SamplingDefaults;
  /** Where they say so; undefined for models whose makers are not known. */
  source: string | undefined;
}

/** What is known of a model from the header of its file, and how it was loaded. */
export interface ModelInfo {
  /** general.architecture of the file, such as "llama". */
  architecture: string;
  /** general.name of the file, if it has one. */
  name: string | undefined;
  /** Type of most weights, such as "Q8_0", or the name of the mix of types that the file states, such as "Q4_K_M". */
  quantization: string;
  /** Elements of all tensors. */
  parameters: number;
  /** Transformer blocks. */
  layers: number;
  /** Width of the residual stream. */
  hidden: number;
  /** Width of the feed-forward layer. */
  intermediate: number;
  /** Attention heads of a layer. */
  heads: number;
  /** Heads of keys and values of a layer; several query heads share one (GQA). */
  kvHeads: number;
  /** Width of a head. */
  headSize: number;
  /** Tokens that the tokenizer has. */
  vocabulary: number;
  /** Positions that the model was trained for. */
  trainedContext: number;
  /** Positions that the KV cache holds. */
  contextLength: number;
  /** Element type of the KV cache. */
  kvType: KvType;
  /** Calls that run at once. */
  sequences: number;
  /** Positions that the KV cache holds, of all texts together. */
  cacheLength: number;
  /** Base of the rotary position embedding. */
  ropeTheta: number;
  /** Added to the mean square in RMS norms. */
  normEpsilon: number;
  /** Whether the LM head is the embedding. */
  tiedEmbeddings: boolean;
  /** The tokens that have a meaning of their own. */
  tokenizer: {
    /** Id of the token that begins a text, if there is one. */
    bos: number | undefined;
    /** Id of the token that ends a text, if there is one. */
    eos: number | undefined;
    /** Whether prompts start with bos. */
    addBos: boolean;
    /** Tokens that end a generation: eos and the end-of-turn tokens. */
    end: number[];
    /** Ids of the control tokens by their text, such as "<|im_start|>". */
    special: Record<string, number>;
    /** Ids of the tokens that the file types as user-defined by their text. Empty until the model is loaded. */
    userDefined: Record<string, number>;
  };
  /** The Jinja template of the file that chats are rendered by, if it has one. */
  chatTemplate: string | undefined;
  /** Further templates of the file by their names; "tool_use" is taken where a chat has tools. */
  namedTemplates: Record<string, string>;
  /** Where its memory goes. */
  plan: Plan;
  /** Build of the core that runs it. */
  build: Build;
  /** Threads that run it, the caller's among them. */
  threads: number;
  /** Size of the file in bytes. */
  fileBytes: number;
  /** How its makers sample it. */
  sampling: ModelSampling;
  /** What the file says about itself: scalars and short strings; of arrays and long strings only type and count. */
  metadata: Record<string, MetadataValue>;
  /** All tensors of the file. */
  tensors: TensorInfo[];
}

/** What a generation continues: text, or token ids that are used as they are (no bos is added). */
export type Prompt = string | ArrayLike<number>;

/** Options of a generation. Defaults are those of models whose makers say nothing, see ModelInfo.sampling. */
export interface GenerateOptions {
  /** Tokens to generate at most. Default 256; 0 only reads the prompt. */
  maxTokens?: number | undefined;
  /** 0 always takes the best token. Default 0.8. */
  temperature?: number | undefined;
  /** Sample from the k best tokens only. Default 0: off. */
  topK?: number | undefined;
  /** Sample from the fewest tokens that together have this probability. Default 1: off. */
  topP?: number | undefined;
  /** Drop tokens less probable than this share of the best one's probability. Default 0: off. */
  minP?: number | undefined;
  /** Divides positive and multiplies negative logits of tokens already in the context. Default 1: off. */
  repetitionPenalty?: number | undefined;
  /** Taken from a token's logit for every time that it was generated, the prompt not counted, from -2 to 2. Default 0: off. */
  frequencyPenalty?: number | undefined;
  /** Taken from a token's logit once it was generated, from -2 to 2. Default 0: off. */
  presencePenalty?: number | undefined;
  /** Penalties for tokens that go on with a repetition. Like the two above it is off where a schema or grammar says what may come. Default: false. */
  dry?: boolean | DryOptions | undefined;
  /** Never repeat a sequence of this many tokens. Default 0: off. */
  noRepeatNgram?: number | undefined;
  /** Added to the logits of token ids; -Infinity bans a token. */
  logitBias?: Readonly<Record<number, number>> | ReadonlyMap<number, number> | undefined;
  /** Same seed, same text, on every host. Default: random, see Completion.seed. */
  seed?: number | bigint | undefined;
  /** Generation ends before the first of these strings, wherever token borders lie. */
  stop?: string | readonly string[] | undefined;
  /**
   * Ends the text when it goes round in a loop: four copies of a text of 8 to 400 characters with letters in it, one behind the other.
   * Without effect where there is a responseFormat, or calls of tools may come. Default: false; in a chat what the makers recommend.
   */
  loopStop?: boolean | undefined;
  /**
   * Alternatives to report for every token; 0: only its own log-probability. Taken before sampling options change
   * anything. Default: none at all.
   */
  logprobs?: number | undefined;
  /**
   * Runs guesses along with the next token: how the text went on when its last tokens stood in it before. Faster where
   * an answer repeats its context (edits, quotes, code, tool calls); the same tokens, bit for bit, in any case.
   * Default: false.
   */
  promptLookup?: boolean | PromptLookupOptions | undefined;
  /**
   * What the text must be. Tokens that cannot lead there are not sampled, and before maxTokens or the context runs out the text is
   * led to its end, so that it always is what it must be. Default: any text.
   */
  responseFormat?: ResponseFormat | undefined;
  /**
   * When no position of the context is left: "stop" (default) ends with finishReason "context", and a prompt that is too long throws
   * CONTEXT_OVERFLOW; { keep } keeps the first `keep` tokens, drops the older half of the others, and goes on.
   */
  overflow?: "stop" | { keep: number } | undefined;
  /** Makes Completion.receipt, at the cost of one more token. Not with overflow. Default: false. */
  receipt?: boolean | undefined;
  /** Adapters that the text goes through, see Model.adapter(); several add up. In a session those of the session. Default: none. */
  adapters?: readonly AdapterUse[] | undefined;
  /** Told how far the prompt is read: before the first batch of its tokens, and after each. */
  onPrefill?: ((progress: PrefillProgress) => void) | undefined;
  /** Who is asking: clients take turns, so that one with many requests delays another no more than one with few. Default: all are one. */
  client?: string | undefined;
  /**
   * Keeps KV caches apart: prompts find what others with the same salt have run, and nobody else's, so that neither reusedTokens nor
   * time tells what others have asked. Default: that of all who give none. Without effect in a session.
   */
  cacheSalt?: string | undefined;
  /**
   * Ends the generation: within one token, with promptLookup within the tokens that run together, while the prompt is read within
   * some layers of the model.
   */
  signal?: AbortSignal | undefined;
}

/** How far a prompt is read. */
export interface PrefillProgress {
  /** Tokens of the prompt that are in the KV cache, `reused` among them. */
  done: number;
  /** Tokens of the prompt. */
  total: number;
  /** Tokens of the prompt that were in the KV cache before. */
  reused: number;
}

/** A JSON Schema, draft 2020-12, of which docs/assistant.md lists the keywords that are understood. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown };

/** What a text must be. */
export type ResponseFormat =
  /** Any text. */
  | { type: "text" }
  /** Any JSON object. */
  | { type: "json_object" }
  /** JSON that is valid against the schema. @throws ZagreusError BAD_SCHEMA for what cannot be guaranteed */
  | { type: "json_schema"; schema: JsonSchema }
  /**
   * A text of the grammar, in llama.cpp's GBNF; its rule "root" is the whole text. With `trigger` the text is free until this string
   * comes, which the grammar's text begins with. With `prefix` that much of the text stands in the prompt already. @throws ZagreusError BAD_GRAMMAR
   */
  | { type: "grammar"; grammar: string; trigger?: string | undefined; prefix?: string | undefined };

/** DRY, "don't repeat yourself": where the last n tokens stood before, the one that followed loses multiplier * base^(n - allowedLength). */
export interface DryOptions {
  /** 0 is off. Default 0.8. */
  multiplier?: number | undefined;
  /** From 1 to 100. Default 1.75. */
  base?: number | undefined;
  /** Shorter repetitions cost nothing. Default 2. */
  allowedLength?: number | undefined;
  /** Tokens that are looked at, those of the prompt among them; 0 is off. Default 64. */
  penaltyLastN?: number | undefined;
  /** No repetition reaches over these texts, of at most 40 bytes. Default "\n", ":", '"' and "*". */
  sequenceBreakers?: readonly string[] | undefined;
}

/** How promptLookup guesses. */
export interface PromptLookupOptions {
  /** Tokens of the longest n-gram that is looked up, 1 to 8. Default 3. */
  ngram?: number | undefined;
  /** Tokens to guess at a time at most, 1 to 7; fewer or none where guesses do not pay. Default 7. */
  tokens?: number | undefined;
}

/** A token that could have come, and how probable it was. */
export interface TokenLogprob {
  /** Token id. */
  token: number;
  /** Natural logarithm of its probability. */
  logprob: number;
}

/** What a generation yields for each token. */
export interface Piece {
  /** Text that became certain with this token; may be empty inside a character or a possible stop string. */
  text: string;
  /** Id of the token. */
  token: number;
  /** Natural logarithm of its probability before sampling options changed anything. Absent without `logprobs`. */
  logprob?: number;
  /** The most probable tokens at its place, best first. Absent without `logprobs`. */
  topLogprobs?: TokenLogprob[];
}

/**
 * Why a text ended. "stop": an end token, a stop string, or all that responseFormat lets come; "length": maxTokens; "context":
 * no position is left; "loop": loopStop.
 */
export type FinishReason = "stop" | "length" | "context" | "loop";

/** Tokens that a generation has used. */
export interface Usage {
  /** Tokens of the whole prompt, in a session with all that went before; without those that overflow has dropped. */
  promptTokens: number;
  /** Tokens of the prompt that were in the KV cache already. */
  reusedTokens: number;
  /** Tokens of the prompt that were run. */
  prefilledTokens: number;
  /** Tokens generated, without the one that ended the text. */
  completionTokens: number;
}

/** Time that a generation has used. */
export interface Timings {
  /** Milliseconds until the prompt was read. */
  prefillMs: number;
  /** Milliseconds of all tokens after the prompt was read, without the time that the reader of the completion was away. */
  decodeMs: number;
  /** Tokens of the prompt that were run, per second of prefillMs. */
  prefillTokensPerSecond: number;
  /** Tokens after the first, which comes out of the prefill, per second of decodeMs. 0 when there are none. */
  decodeTokensPerSecond: number;
  /** Tokens that promptLookup guessed. How many depends on what the clock says that guesses cost. */
  proposedTokens: number;
  /** Tokens that promptLookup guessed rightly. */
  acceptedTokens: number;
}

/** Options of toResponse(). */
export interface ToResponseOptions {
  /**
   * "text" (default): the text as it comes. "sse": server-sent events, `data: ` and a chunk of OpenAI's API (of a chat
   * `choices[0].delta.content` and `tool_calls`, else `choices[0].text`), then a chunk with `finish_reason`, one with `usage`, and
   * `data: [DONE]`. What fails is `data: {"error": {message, type, param, code}}` there, and breaks the body of a "text".
   */
  format?: "text" | "sse" | undefined;
  /** Beside those of the format, or instead of them. */
  headers?: Headers | Readonly<Record<string, string>> | undefined;
}

/** A completion as JSON: what is known of it by now. */
export interface CompletionJson<Reason = FinishReason> {
  text: string;
  /** Calls of a chat, if there are some. */
  toolCalls: readonly ToolCall[] | undefined;
  tokens: readonly number[];
  finishReason: Reason | undefined;
  /** Its digits. */
  seed: string;
  usage: Usage | undefined;
  timings: Timings | undefined;
}

/**
 * A generation. It starts when it is read, and can be read once: with for await, as a stream, or as a whole. Leaving
 * the loop or cancelling the stream ends it, at once.
 *
 * It is no promise: `await` gives the completion, not its text, which is `await completion.text()`. Were it one, async functions that
 * return a completion would return its text.
 */
export interface Completion extends AsyncIterable<Piece> {
  /** The pieces as a stream of objects. Streams of HTTP take bytes: toTextStream(). */
  toReadableStream(): ReadableStream<Piece>;
  /** The text as a stream of UTF-8 bytes. The model is not ahead of the reader; cancelling stops it. */
  toTextStream(): ReadableStream<Uint8Array>;
  /** The text, or events, as the answer to an HTTP request. A client that leaves stops the model. @throws ZagreusError BUSY, INVALID_OPTION */
  toResponse(options?: ToResponseOptions): Response;
  /**
   * The text by sentences, each as soon as it has come to its end, with the white space behind it: to be read aloud, for instance. Put
   * together they are the text. Calls of tools are left out.
   */
  sentences(): AsyncIterable<string>;
  /** All the text. */
  text(): Promise<string>;
  /** What is known by now, for JSON.stringify(). */
  toJSON(): CompletionJson;
  /** The seed in use: that of the options, or the random one that was chosen. */
  readonly seed: bigint;
  /** Tokens generated so far, without the one that ended the generation. */
  readonly tokens: readonly number[];
  /** The token that ended the text, which is not part of it. Undefined before the end, and where the text ended otherwise. */
  readonly endToken?: ScoredToken | undefined;
  /** Why the text ended. Undefined before the end. */
  readonly finishReason: FinishReason | undefined;
  /** Tokens that were used. Undefined before the end. */
  readonly usage: Usage | undefined;
  /** Time that was used. Undefined before the end. */
  readonly timings: Timings | undefined;
  /** With the option `receipt`, when the completion has been read to its end. */
  readonly receipt?: Receipt | undefined;
}

/** What it takes to make a completion again, and to see that it is the same: verify() of zagreus-edge/receipts, `zagreus verify`. */
export interface Receipt {
  version: number;
  /** XXH64 of the weights as packed, the shape and the vocabulary: 16 hexadecimal digits. */
  model: string;
  kvType: KvType;
  contextLength: number;
  /** Token ids. */
  prompt: number[];
  /** All that has a say, with defaults filled in; a bias of -Infinity is a string. */
  options: Omit<GenerateOptions, "logitBias"> & { logitBias?: [token: number, bias: number | "-Infinity"][] };
  /** Its digits. */
  seed: string;
  /** Of the answer. */
  tokens: number[];
  endToken: number | null;
  finishReason: FinishReason;
  /** SHA-256 of the logits behind the last token, f32[vocabulary]. */
  logits: string;
}

/** A call of a tool, as OpenAI's API and chat templates have it. */
export interface ToolCall {
  /** What the tool's result names as tool_call_id. */
  id: string;
  type: "function";
  /** The tool's name, and its arguments as JSON text. */
  function: { name: string; arguments: string };
}

/** A message of a conversation, as OpenAI's API and chat templates have it. */
export interface ChatMessage {
  /** Who says it; "developer" is another word for "system". */
  role: "system" | "developer" | "user" | "assistant" | "tool";
  /** The text, whole or in parts. Absent or null where an assistant's message has only calls. */
  content?: string | readonly { type: "text"; text: string }[] | null | undefined;
  /** Calls of tools, in a message of an assistant. */
  tool_calls?: readonly ToolCall[] | undefined;
  /** Id of the call that a message of a tool answers. */
  tool_call_id?: string | undefined;
  /** Name of who says it, for templates that know names. */
  name?: string | undefined;
}

/** A function that the model may call; `parameters` is the schema of its arguments, an object. */
export interface Tool {
  type: "function";
  /** Its name, what it is for, and the JSON Schema of its arguments. */
  function: { name: string; description?: string | undefined; parameters?: JsonSchema | undefined };
}

/** Options of a chat. */
export interface ChatOptions extends GenerateOptions {
  /** Functions that the model may call, also those of runTools(), which are not run here. Default: none. */
  tools?: readonly (Tool | RunnableTool)[] | undefined;
  /** "auto" (default), "none", "required" (at least one call), or the function that has to be called. */
  toolChoice?: "auto" | "none" | "required" | { type: "function"; function: { name: string } } | undefined;
  /** Whether a reply may have several calls. Default: as many as it wants with toolChoice "auto", one where a call is demanded. */
  parallelToolCalls?: boolean | undefined;
  /** A Jinja template instead of the model's own, or the name of a built-in one. */
  template?: string | "chatml" | "llama3" | undefined;
  /** Further variables of the template. */
  templateVariables?: Readonly<Record<string, unknown>> | undefined;
  /** Goes on with the text of the last message, an assistant's; the reply is what follows it. Default false. */
  continueFinalMessage?: boolean | undefined;
}

/** What is new of a tool call. The first delta of a call has id, type and name; arguments come piece by piece. */
export interface ToolCallDelta {
  /** Which call of the reply, from 0. */
  index: number;
  /** The call's id, in its first delta. */
  id?: string;
  /** In its first delta. */
  type?: "function";
  /** The name, in the first delta, and what is new of the arguments' JSON text. */
  function: { name?: string; arguments: string };
}

/** What a reply yields for each token. */
export interface ChatPiece extends Piece {
  /** What is new of calls. Absent where nothing is. */
  toolCalls?: ToolCallDelta[];
}

/** Why a reply ended: as a text does, or "tool_calls" where it ends with calls. */
export type ChatFinishReason = FinishReason | "tool_calls";

/** A reply, read once like a Completion. `text` of its pieces is what is no tool call. */
export interface ChatCompletion
  extends AsyncIterable<ChatPiece>,
    Omit<Completion, "finishReason" | "toReadableStream" | "toJSON" | typeof Symbol.asyncIterator> {
  /** The pieces as a stream of objects. Streams of HTTP take bytes: toTextStream(). */
  toReadableStream(): ReadableStream<ChatPiece>;
  /** What is known by now, for JSON.stringify(). */
  toJSON(): CompletionJson<ChatFinishReason>;
  /** The whole reply, ready to be appended to the messages. */
  message(): Promise<ChatMessage & { role: "assistant"; content: string | null; tool_calls?: ToolCall[] }>;
  /** Why the reply ended. Undefined before the end. */
  readonly finishReason: ChatFinishReason | undefined;
  /** Tools that were not offered to the model, because their arguments cannot be guaranteed. Known with the first piece. */
  readonly refusedTools: readonly RefusedTool[];
}

/** A tool whose arguments cannot be guaranteed. */
export interface RefusedTool {
  /** The tool's name. */
  name: string;
  /** A ZagreusError BAD_SCHEMA; `field` is the place in the tool's parameters. */
  error: Error;
}

/** A tool with the function behind it. */
export interface RunnableTool extends Tool {
  /** The function. What it returns goes to the model: a string as it is, else as JSON; what it throws, as `{"error": message}`. */
  // biome-ignore lint/suspicious/noExplicitAny: valid against the schema `function.parameters`
  run(args: any, context: { call: ToolCall; signal: AbortSignal | undefined }): unknown;
}

/** Options of runTools(). */
export interface RunToolsOptions extends Omit<ChatOptions, "tools"> {
  /** The tools with the functions behind them. */
  tools: readonly RunnableTool[];
  /** Replies of the model at most, 1 to 100. Default 8. */
  maxSteps?: number | undefined;
  /** Called with every piece of every reply. */
  onPiece?: ((piece: ChatPiece) => void) | undefined;
  /** Called when a tool has run. */
  onResult?: ((call: ToolCall, result: string) => void) | undefined;
}

/** What runTools() resolves with. */
export interface ToolRun {
  /** The conversation with all that was added to it: replies and results. */
  messages: ChatMessage[];
  /** The last reply. */
  message: Awaited<ReturnType<ChatCompletion["message"]>>;
  /** Why the last reply ended; "steps": it has calls that were not run, because maxSteps was reached. */
  finishReason: Exclude<ChatFinishReason, "tool_calls"> | "steps";
  /** Replies of the model. */
  steps: number;
}

/** Options of embed(). */
export interface EmbedOptions {
  /** Adapters that the text goes through, see Model.adapter(); several add up. Default: none. */
  adapters?: readonly AdapterUse[] | undefined;
  /** Who is asking: clients take turns. Default: all are one. */
  client?: string | undefined;
  /** Keeps KV caches apart: prompts find what others with the same salt have run, and nobody else's. Default: that of all who give none. */
  cacheSalt?: string | undefined;
  /** Ends the call within a batch of tokens: it rejects with ABORTED. */
  signal?: AbortSignal | undefined;
}

/** Options of tokenize(). */
export interface TokenizeOptions {
  /** Whether the text of control tokens ("<|im_start|>") becomes these tokens. Default false: user text stays text. */
  special?: boolean | undefined;
  /** Whether bos comes first. Default: what the model's file says. */
  bos?: boolean | undefined;
  /** Whether other text stands before it: SentencePiece puts a blank only before what begins a text. Default false. */
  continues?: boolean | undefined;
  /** Whether bytes that have no token throw INVALID_OPTION with their number. Default false: they are left out. */
  strict?: boolean | undefined;
}

/** Options of detokenize(). */
export interface DetokenizeOptions {
  /** Whether control tokens are written out. Default false. */
  special?: boolean | undefined;
  /** Whether other text stands before it: otherwise SentencePiece's blank before a text is taken off. Default false. */
  continues?: boolean | undefined;
}

/** Options of logprobs(). */
export interface LogprobsOptions {
  /** Alternatives to report at every position. Default 0. */
  top?: number | undefined;
  /** Index of the first token to score. Default 0. */
  from?: number | undefined;
  /** Adapters that the text goes through, see Model.adapter(); several add up. Default: none. */
  adapters?: readonly AdapterUse[] | undefined;
  /** Who is asking: clients take turns. Default: all are one. */
  client?: string | undefined;
  /** Keeps KV caches apart: prompts find what others with the same salt have run, and nobody else's. Default: that of all who give none. */
  cacheSalt?: string | undefined;
  /** Ends the call within a batch of tokens: it rejects with ABORTED. */
  signal?: AbortSignal | undefined;
}

/** A token of a text, and how probable it was there. */
export interface ScoredToken {
  /** Token id. */
  token: number;
  /** Natural logarithm of the probability after the tokens before it; null for the very first, which has none. */
  logprob: number | null;
  /** The most probable tokens at its place, best first: as many as were asked for. */
  topLogprobs: TokenLogprob[];
}

/** Options of logits(). */
export interface LogitsOptions {
  /** Whether logits come after every token instead of the last one only. Default: false. */
  all?: boolean | undefined;
  /** Adapters that the text goes through, see Model.adapter(); several add up. Default: none. */
  adapters?: readonly AdapterUse[] | undefined;
  /** Ends the call within a batch of tokens: it rejects with ABORTED. */
  signal?: AbortSignal | undefined;
}

/**
 * Where an adapter comes from: a path, URL or id of the hub as for load(), which may name a folder that PEFT has saved; the bytes of a GGUF
 * file; or those of PEFT's two files.
 */
export type AdapterSource = string | URL | WebSource | { config: WebSource; weights: WebSource };
/** A file in any of the web's forms, which every runtime has. */
export type WebSource =
  | Response
  | Blob
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | Uint8Array
  | ArrayBuffer;

/** An adapter (LoRA) that a model has beside its weights. `using` closes it. */
export interface LoadedAdapter extends Disposable {
  /** Names it among all that were ever loaded. */
  readonly id: string;
  /** What its file says, or where it came from. */
  readonly name: string;
  /** The largest of its ranks. */
  readonly rank: number;
  /** Bytes of its factors, as they are kept. */
  readonly bytes: number;
  /** SHA-256 of what it changes, the same for the same values in another format. */
  readonly hash: string;
  /** Whether close() was called. */
  readonly closed: boolean;
  /** Frees its room for another one. What runs goes on with it; all that comes later is refused. */
  close(): void;
}

/** An adapter, and how much of it. */
export interface AdapterUse {
  adapter: Pick<LoadedAdapter, "id">;
  /** Multiplies what it changes, -10,000 to 10,000; 0: as if it were not there. Default: 1. */
  scale?: number | undefined;
}

/** Options of session() and restore(). */
export interface SessionOptions {
  /** Adapters that all its texts go through. Default: none. */
  adapters?: readonly AdapterUse[] | undefined;
}

/** A text that grows. Its KV cache stays, so every call runs only what is new. */
export interface Session extends Disposable {
  /**
   * Everything that was said: prompts and generated tokens, without what ended a generation; after `overflow: { keep }` has dropped
   * some, what is left.
   */
  readonly tokens: readonly number[];
  /** Appends `prompt` and continues the text. A call that fails before its first token leaves the session as it was. */
  complete(prompt: Prompt, options?: GenerateOptions): Completion;
  /** Tokens and KV cache as bytes for Model.restore(), with a checksum and bound to the model. */
  save(): Promise<Uint8Array>;
  /** Frees the memory of the KV cache that was kept for it. */
  close(): void;
}

/** What a model is doing, for whoever watches it. */
export interface ModelStats {
  /** Calls that are at work. */
  running: number;
  /** Calls that wait for others to end. */
  waiting: number;
  /** Positions of the KV cache: those that calls at work have pages for, those that are kept of others, and the rest. */
  cache: { used: number; kept: number; free: number };
  /** Passes over the weights. */
  passes: number;
  /** How often a call had to give up its pages. */
  preemptions: number;
  /** Tokens that were run again for that. */
  recomputedTokens: number;
  /** What promptCache of load() has done; undefined without it. */
  promptCache:
    | {
        /** Tokens of prompts that came from the disk instead of being run. */
        restoredTokens: number;
        /** Tokens that were written. */
        storedTokens: number;
        /** Files that were damaged, or not what their names say, and were removed. */
        rejectedPages: number;
        /** Bytes on the disk, as last counted. */
        bytes: number;
        /** Whether it still writes: not when that has failed. */
        writes: boolean;
      }
    | undefined;
}

/**
 * A loaded model. Calls run together, up to info.sequences of them; those that come meanwhile wait for others to end. What one says does
 * not depend on the others. All methods throw ZagreusError. `using` closes it.
 */
export interface Model extends Disposable {
  /** What is known of the model. */
  readonly info: ModelInfo;
  /** Whether it answers no more: close() was called, or one of its threads has failed. */
  readonly closed: boolean;
  /** What it is doing, and has done since it was loaded. */
  stats(): ModelStats;
  /** Continues a prompt. */
  complete(prompt: Prompt, options?: GenerateOptions): Completion;
  /**
   * Answers a conversation, by the chat template of the model's file. Sampling options that are not given come from the preset of the
   * model's makers. @throws ZagreusError NO_CHAT_TEMPLATE for a base model, BAD_TEMPLATE, INVALID_OPTION, ...
   */
  chat(messages: readonly ChatMessage[], options?: ChatOptions): ChatCompletion;
  /** Mean of the hidden states behind the last norm over all tokens, f32[hidden], scaled to length 1. */
  embed(prompt: Prompt, options?: EmbedOptions): Promise<Float32Array>;
  /**
   * What a text must be, as bytes that zagreus.wasm takes for this model and others of its vocabulary (docs/embedding.md).
   * @throws ZagreusError BAD_SCHEMA, BAD_GRAMMAR, INVALID_OPTION for any text, trigger and prefix
   */
  compileGrammar(format: ResponseFormat): Promise<Uint8Array>;
  /** Token ids of a text, or of its UTF-8 bytes. */
  tokenize(text: string | Uint8Array, options?: TokenizeOptions): number[];
  /** The text of tokens; bytes that are no UTF-8 become U+FFFD. */
  detokenize(tokens: ArrayLike<number>, options?: DetokenizeOptions): string;
  /** Log-probability of every token after the ones before it. */
  logprobs(tokens: ArrayLike<number>, options?: LogprobsOptions): Promise<ScoredToken[]>;
  /** Logits after the last token, f32[vocabulary]. */
  logits(tokens: ArrayLike<number>, options?: LogitsOptions & { all?: false | undefined }): Promise<Float32Array>;
  /** Logits after every token, one f32[vocabulary] at a time. */
  logits(tokens: ArrayLike<number>, options: LogitsOptions & { all: true }): AsyncIterable<Float32Array>;
  /** An empty session. */
  session(options?: SessionOptions): Session;
  /**
   * The session that Session.save() wrote, with the same adapters.
   * @throws ZagreusError BAD_SNAPSHOT | FOREIGN_SNAPSHOT | CONTEXT_OVERFLOW
   */
  restore(snapshot: Uint8Array, options?: SessionOptions): Promise<Session>;
  /**
   * Loads an adapter (LoRA), of llama.cpp's converter (GGUF) or PEFT, into room that load() was asked for with `adapters`.
   * @throws ZagreusError BAD_ADAPTER for what is damaged or cannot be done (DoRA, modules_to_save, ...), FOREIGN_ADAPTER for another model's,
   * INVALID_OPTION where there is no room
   */
  adapter(source: AdapterSource, options?: { signal?: AbortSignal | undefined }): Promise<LoadedAdapter>;
  /** Ends everything that runs and frees the memory; all later calls throw CLOSED. */
  close(): void;
}
