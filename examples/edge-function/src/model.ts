// The model of this isolate, which all conversations in it share.

import { assets, load, type Model, r2, ZagreusError } from "zagreus-edge/cloudflare-workers";

/** Bindings of wrangler.jsonc or wrangler.r2.jsonc. */
export type Weights = { ASSETS: Fetcher } | { MODELS: R2Bucket; MODEL_KEY: string };

let loading: Promise<Model> | undefined;

/** Loaded once. After a load that failed, or that takes longer than `signal` lets it, the next request tries again. */
export async function sharedModel(env: Weights, signal: AbortSignal): Promise<Model> {
  const source = "MODELS" in env ? r2(env.MODELS, env.MODEL_KEY) : assets(env.ASSETS, "/model");
  loading ??= load(source);
  const current = loading;
  try {
    return await Promise.race([current, failure(signal)]);
  } catch (error) {
    if (loading === current) loading = undefined;
    throw error;
  }
}

function failure(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () =>
      reject(new ZagreusError("ABORTED", "the model takes too long to load", { cause: signal.reason }));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
  });
}
