// URLs and fetch(), with their failures typed.

import { ZagreusError } from "../../core/api/errors.js";
import { checkSignal } from "../../core/engine/pace.js";
import { fetchableUrl } from "../../core/load/url.js";
import { WHERE } from "./package_files.js";

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

const LESS_THAN = 0x3c; // what servers of single pages answer instead of a 404 begins with

/** A WebAssembly file of the package. @throws ZagreusError SOURCE_FAILED */
export async function readPackageFile(url: URL): Promise<ArrayBuffer> {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`HTTP status is ${response.status}`);
    const bytes = await response.arrayBuffer();
    if (new Uint8Array(bytes)[0] === LESS_THAN) throw new Error("that is a web page");
    return bytes;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `cannot read "${url}": ${reason}; ${WHERE}`;
    throw new ZagreusError("SOURCE_FAILED", message, { field: "package", value: url.href, cause });
  }
}

/** A URL, relative to the page or the worker's script. @throws ZagreusError INVALID_OPTION for option `field` */
export function absoluteUrl(url: string | URL, field: string): URL {
  return fetchableUrl(url, field, globalThis.document?.baseURI ?? globalThis.location?.href);
}
