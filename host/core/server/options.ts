// What createServer() takes.

import type { Model } from "../api/api.js";
import { invalidOption, unknownOption } from "../api/errors.js";
import type { OffloadedModel } from "../offload/api.js";

/** A model of any host, in this thread or, so that the event loop stays free, in another. */
export type ServedModel = Model | OffloadedModel;

export interface ServerOptions {
  /** Bearer tokens of which requests must bring one; only /health is open. Default: none, all is open. */
  apiKeys?: readonly string[] | undefined;
  /** Origins whose pages may call, "*" for all. Default: none. */
  cors?: "*" | readonly string[] | undefined;
  /** Requests that wait for a model at most; more are refused with 429. Default 64. */
  maxQueue?: number | undefined;
  /** Bytes of a request's body at most. Default 1 MiB. */
  maxBody?: number | undefined;
  /** What requests may ask for as max_tokens at most. Default: the model's context. */
  maxTokens?: number | undefined;
  /** A chat template instead of the model's own, see ChatOptions. */
  template?: string | undefined;
  /** Milliseconds after which a stream that has nothing to say sends a comment. Default 10,000. */
  heartbeat?: number | undefined;
  /** Milliseconds that a request's body may take. Default 30,000. */
  bodyTimeout?: number | undefined;
  /** Milliseconds that close() gives to what runs. Default 10,000. */
  grace?: number | undefined;
  /** Told of errors that are nobody's fault but the server's. Default: console.error. */
  onError?: ((error: unknown) => void) | undefined;
}

/** The options with their defaults; without maxTokens each model's context is the limit. */
export type CheckedServerOptions = Required<Omit<ServerOptions, "maxTokens" | "template">> &
  Pick<ServerOptions, "maxTokens" | "template">;

/** Least and default. */
const INTEGERS = {
  maxQueue: [0, 64],
  maxBody: [1, 1024 * 1024],
  maxTokens: [1, undefined],
  heartbeat: [1, 10_000],
  bodyTimeout: [1, 30_000],
  grace: [0, 10_000],
} as const;
const MOST = 2 ** 31 - 1; // what timers take
const NAMES = [...Object.keys(INTEGERS), "apiKeys", "cors", "template", "onError"];

/** @throws ZagreusError INVALID_OPTION */
export function checkServerOptions(options: ServerOptions): CheckedServerOptions {
  if (options === null || typeof options !== "object") throw invalidOption("options", options, "an object");
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && !NAMES.includes(name)) throw unknownOption(name, value, NAMES);
  }
  const { apiKeys = [], cors = [], template, onError = (error) => console.error(error) } = options;
  const integer = <T>(name: keyof typeof INTEGERS, usual: T): number | T => {
    const { [name]: value } = options;
    const [least] = INTEGERS[name];
    if (value === undefined) return usual;
    if (Number.isInteger(value) && value >= least && value <= MOST) return value;
    throw invalidOption(name, value, `an integer from ${least} to ${MOST}`);
  };
  const usual = (name: Exclude<keyof typeof INTEGERS, "maxTokens">) => integer(name, INTEGERS[name][1]);
  checkStrings("apiKeys", apiKeys);
  if (cors !== "*") checkStrings("cors", cors);
  if (template !== undefined && typeof template !== "string") throw invalidOption("template", template, "a string");
  if (typeof onError !== "function") throw invalidOption("onError", onError, "a function");
  return {
    apiKeys,
    cors,
    template,
    onError,
    maxQueue: usual("maxQueue"),
    maxBody: usual("maxBody"),
    maxTokens: integer("maxTokens", undefined),
    heartbeat: usual("heartbeat"),
    bodyTimeout: usual("bodyTimeout"),
    grace: usual("grace"),
  };
}

/** The models by the names that requests call them. @throws ZagreusError INVALID_OPTION */
export function checkModels(models: Record<string, ServedModel> | ServedModel): [name: string, model: ServedModel][] {
  if (models === null || typeof models !== "object") throw invalidOption("models", models, "a model");
  const single = isModel(models);
  const entries = single ? [[models.info.name ?? "default", models] as [string, ServedModel]] : Object.entries(models);
  if (entries.length === 0) throw invalidOption("models", models, "at least one model");
  for (const [name, model] of entries) {
    if (name === "") throw invalidOption("models", name, "keyed by names that are not empty");
    if (!isModel(model)) throw invalidOption(`models[${JSON.stringify(name)}]`, model, "a model");
  }
  return entries;
}

function isModel(value: unknown): value is ServedModel {
  return typeof value === "object" && value !== null && "complete" in value && typeof value.complete === "function";
}

function checkStrings(name: string, list: unknown): void {
  const strings = Array.isArray(list) && list.every((item) => typeof item === "string" && item !== "");
  if (!strings) throw invalidOption(name, list, "a list of strings that are not empty");
}
