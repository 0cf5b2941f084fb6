// URLs and fetch(), with their failures typed.

import { ZagreusError } from "../../core/api/errors.js";
import { checkSignal } from "../../core/engine/pace.js";
import { fetchableUrl } from "../../core/load/url.js";

/** @throws ZagreusError SOURCE_FAILED, ABORTED */
export async function request(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    checkSignal(init.signal ?? undefined);
    const reason = error instanceof Error ? error.message : String(error);
    throw new ZagreusError("SOURCE_FAILED", `cannot read "${url}": ${reason}`, {
      field: "source",
      value: url,
      cause: error,
    });
  }
}

/** A WebAssembly file of the package. @throws ZagreusError SOURCE_FAILED, Error for an answer that is one, or cannot be compiled */
export async function compile(url: URL): Promise<WebAssembly.Module> {
  const response = await request(url.href, {});
  if (!response.ok) throw new Error(`HTTP status of ${url} is ${response.status}`);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** A URL, relative to the page or the worker's script. @throws ZagreusError INVALID_OPTION for option `field` */
export function absoluteUrl(url: string | URL, field: string): URL {
  return fetchableUrl(url, field, globalThis.document?.baseURI ?? globalThis.location?.href);
}
