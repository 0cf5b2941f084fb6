// Where the hub's tools look for cache, token and endpoint, so that this one finds the same.
// https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables

import { invalidOption } from "../api/errors.js";
import type { HubSettings } from "./platform.js";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface HubPaths {
  cache: string;
  /** What libraries keep that no hub has. */
  assets: string;
  /** The file with the token of `hf auth login`. */
  token: string;
}

const DEFAULT_ENDPOINT = "https://huggingface.co";
const DEFAULT_TIMEOUT_S = 10;
const MAX_TIMEOUT_S = 86_400;
const RETRY_DELAY_MS = 500;

/** The caches and the token file; `home` is the person's home directory. */
export function hubPaths(env: Environment, home: string, join: (...parts: string[]) => string): HubPaths {
  const path = (text: string) =>
    text
      .replace(/^~(?=$|[\\/])/, home)
      .replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced, bare) => env[braced ?? bare] ?? whole);
  const hub = path(env.HF_HOME || join(env.XDG_CACHE_HOME || join(home, ".cache"), "huggingface"));
  return {
    cache: path(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(hub, "hub")),
    assets: path(env.HF_ASSETS_CACHE || join(hub, "assets")),
    token: path(env.HF_TOKEN_PATH || join(hub, "token")),
  };
}

/**
 * @param stored what the token file has, if there is one
 * @throws ZagreusError INVALID_OPTION for an endpoint or token that cannot be one
 */
export function hubSettings(env: Environment, cache: string, stored: string | undefined): HubSettings {
  const said = isTrue(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)
    ? undefined
    : env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN || stored;
  const timeout = Number(env.HF_HUB_DOWNLOAD_TIMEOUT);
  return {
    endpoint: checkEndpoint(env.HF_ENDPOINT || DEFAULT_ENDPOINT),
    cache,
    token: checkToken(said),
    offline: isTrue(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE),
    noLinks: isTrue(env.HF_HUB_DISABLE_SYMLINKS),
    timeoutMs: 1000 * (timeout > 0 ? Math.min(timeout, MAX_TIMEOUT_S) : DEFAULT_TIMEOUT_S),
    retryDelayMs: RETRY_DELAY_MS,
  };
}

function isTrue(value: string | undefined): boolean {
  return ["1", "ON", "YES", "TRUE"].includes(value?.toUpperCase() ?? "");
}

function checkEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.search || url.hash) {
    throw invalidOption("HF_ENDPOINT", text, "a plain http: or https: URL");
  }
  return url.href.replace(/\/+$/, "");
}

/** An error here must not repeat the token. */
function checkToken(text: string | undefined): string | undefined {
  const token = text?.trim();
  if (!token) return undefined;
  if (!/^[\x21-\x7e]+$/.test(token)) throw invalidOption("HF_TOKEN", undefined, "a token in ASCII, without spaces");
  return token;
}
