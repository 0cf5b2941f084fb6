// What createServer() takes.

import type { AdapterUse, Model } from "../../api/api.js";
import { callback, flag, integer, type Output, optional, string, table, withDefault } from "../../api/check.js";
import { invalidOption } from "../../api/errors.js";
import type { OffloadedModel } from "../../offload/api.js";
import type { RequestReport } from "../http/figures.js";

/** A model of any host, in this thread or, so that the event loop stays free, in another. */
export type ServedModel = Model | OffloadedModel;

/** A model that is loaded when a request wants it, and closed when others need its memory. */
export interface LazyModel {
  /** Bytes that it takes when it is loaded, for ServerOptions.memory; what comes before that, such as a download, is done here. */
  measure(signal: AbortSignal): Promise<number>;
  /** Loads it, after measure(). Never twice at a time. */
  load(signal: AbortSignal): Promise<ServedModel>;
}

/** Options of createServer(). */
export interface ServerOptions {
  /** Bearer tokens of which requests must bring one; only /health is open. Default: none, all is open. */
  apiKeys?: readonly string[] | undefined;
  /** Origins whose pages may call, "*" for all. Default: none. */
  cors?: "*" | readonly string[] | undefined;
  /**
   * What clients may call this server besides its addresses: host names, "*.example.com" for all below it, or "*" for any. Requests to
   * another name get 403, so that no page can make a name of its own point here (DNS rebinding). Default: "*".
   */
  hosts?: "*" | readonly string[] | undefined;
  /** Whether clients find the KV of each other's prompts, which tells them what the others have asked. Default: false. */
  shareCache?: boolean | undefined;
  /**
   * Requests that wait for a model at most. When there are more, the latest of the client that has most of them is refused with 429.
   * Default 64.
   */
  maxQueue?: number | undefined;
  /**
   * Tokens of prompts that a client may have waiting for a model, each choice and each text of a batch counted; what would be more is
   * refused with 429. Default 262,144, which is 64 prompts of 4,096 tokens, or about a body of 1 MiB.
   */
  maxQueueTokens?: number | undefined;
  /** Bytes of a request's body at most. Default 1 MiB. */
  maxBody?: number | undefined;
  /** What requests may ask for as max_tokens at most. Default: the model's context. */
  maxTokens?: number | undefined;
  /**
   * What requests call a model with adapters, "MODEL:NAME", and these: `{ "nesso:recipes": [{ adapter }] }`. Each is a model of its own in
   * /v1/models; when one of its adapters is closed it is none any more. Default: none.
   */
  adapters?: Readonly<Record<string, readonly AdapterUse[]>> | undefined;
  /** Bytes of models that are loaded when they are wanted: the one used longest ago gives way. Default: no limit. */
  memory?: number | undefined;
  /** A chat template instead of the model's own, see ChatOptions. */
  template?: string | undefined;
  /** Milliseconds after which a stream that has nothing to say sends a comment. Default 10,000. */
  heartbeat?: number | undefined;
  /** Milliseconds that a request's body may take. Default 30,000. */
  bodyTimeout?: number | undefined;
  /** Milliseconds that the client of a stream may read nothing while others wait. Default 5,000. */
  readTimeout?: number | undefined;
  /**
   * Milliseconds without a token, or a step of a prompt, that somebody waits for, after which /health answers 503. Default 120,000.
   */
  stallTimeout?: number | undefined;
  /** Milliseconds that close() gives to what runs. Default 10,000. */
  grace?: number | undefined;
  /**
   * Files of a page by their names; "index.html" is what browsers get at `GET /`. They need no key, and a policy keeps them to this
   * server. Default: none.
   */
  page?: Readonly<Record<string, Blob>> | undefined;
  /** Servers of tools by their names, for pages and other clients of the Model Context Protocol at `POST /mcp/NAME`. Default: none. */
  mcp?: Readonly<Record<string, McpServer>> | undefined;
  /** Told of every request when its answer has ended, for a log. */
  onRequest?: ((report: RequestReport) => void) | undefined;
  /** Told of errors that are nobody's fault but the server's. Default: console.error. */
  onError?: ((error: unknown) => void) | undefined;
}

/** Answers a message of MCP's streamable HTTP, without sessions. @param body its JSON, which has been read */
export type McpServer = (request: Request, body: unknown) => Promise<Response>;

const MAX_TIMER = 2 ** 31 - 1; // milliseconds that timers take

const isStrings = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === "string" && item !== "");
const STRINGS = "a list of strings that are not empty";
const strings = optional(isStrings, STRINGS);
const stringsOrAll = optional((value): value is "*" | readonly string[] => value === "*" || isStrings(value), STRINGS);

const isPage = (value: unknown): value is Readonly<Record<string, Blob>> =>
  typeof value === "object" && value !== null && Object.values(value).every((file) => file instanceof Blob);

const isMcp = (value: unknown): value is Readonly<Record<string, McpServer>> =>
  typeof value === "object" && value !== null && Object.values(value).every((server) => typeof server === "function");
const isAdapters = (value: unknown): value is Readonly<Record<string, readonly AdapterUse[]>> =>
  typeof value === "object" && value !== null && Object.values(value).every(Array.isArray);

const SERVER = {
  apiKeys: withDefault(strings, []),
  cors: withDefault(stringsOrAll, []),
  hosts: withDefault(stringsOrAll, "*"),
  shareCache: withDefault(flag, false),
  maxQueue: integer(0, MAX_TIMER, 64),
  maxQueueTokens: integer(1, Number.MAX_SAFE_INTEGER, 262_144),
  maxBody: integer(1, MAX_TIMER, 1024 * 1024),
  maxTokens: integer(1, MAX_TIMER),
  adapters: withDefault(optional(isAdapters, "lists of adapters by names as MODEL:NAME"), {}),
  memory: integer(1, Number.MAX_SAFE_INTEGER),
  template: string,
  heartbeat: integer(1, MAX_TIMER, 10_000),
  bodyTimeout: integer(1, MAX_TIMER, 30_000),
  readTimeout: integer(1, MAX_TIMER, 5_000),
  stallTimeout: integer(1, MAX_TIMER, 120_000),
  grace: integer(0, MAX_TIMER, 10_000),
  page: withDefault(optional(isPage, "files by their names, each a Blob"), {}),
  mcp: withDefault(optional(isMcp, "functions by their names"), {}),
  onRequest: callback<(report: RequestReport) => void>(),
  onError: withDefault(callback<(error: unknown) => void>(), (error) => console.error(error)),
};
/** The options with their defaults; without maxTokens each model's context is the limit. */
export type CheckedServerOptions = Output<typeof SERVER>;

/** @throws ZagreusError INVALID_OPTION */
export const checkServerOptions: (options: ServerOptions) => CheckedServerOptions = table(SERVER);

/** The models by the names that requests call them. @throws ZagreusError INVALID_OPTION */
export function checkModels(
  models: Record<string, ServedModel | LazyModel> | ServedModel,
): [name: string, model: ServedModel | LazyModel][] {
  if (models === null || typeof models !== "object") throw invalidOption("models", models, "a model");
  if (isModel(models)) return [[models.info.name ?? "default", models]];
  const entries = Object.entries(models);
  if (entries.length === 0) throw invalidOption("models", models, "at least one model");
  for (const [name, model] of entries) {
    if (name === "") throw invalidOption("models", name, "keyed by names that are not empty");
    if (!isModel(model) && !has(model, "measure", "load")) {
      throw invalidOption(`models[${JSON.stringify(name)}]`, model, "a model");
    }
  }
  return entries;
}

/** Whether it is a model already. */
export function isModel(value: unknown): value is ServedModel {
  return has(value, "complete");
}

function has(value: unknown, ...methods: string[]): boolean {
  if (typeof value !== "object" || value === null) return false;
  return methods.every((name) => typeof (value as Record<string, unknown>)[name] === "function");
}
