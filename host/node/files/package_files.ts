// Files of the package, relative to dist/.
//
// Bundlers that find `new URL(name, import.meta.url)` copy the file and put in where it is then; so that is written out wherever a
// file is wanted. Turbopack puts in files; webpack puts in URLs of the web server, instead of which the file in the package is taken;
// and in a bundle that is no module there is no import.meta.url, so the files have to lie beside it.

import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { ZagreusError } from "../../core/api/errors.js";
import { oldNode } from "./old_node.js";

/** As a variable, which no bundler follows. */
const here = import.meta.url ?? pathToFileURL(__filename).href;

export const packageFile = (name: string): URL => new URL(name, here);

/** Whether URLs that are written out lead to files. */
export const writtenUrlsAreFiles = isFile(() => new URL("./zagreus-simd.wasm", import.meta.url));

/** The file that is written out, else `name` in the package. */
export const fileAt = (written: () => URL, name: string): URL => (writtenUrlsAreFiles ? written() : packageFile(name));

function isFile(written: () => URL): boolean {
  try {
    return written().protocol === "file:";
  } catch {
    return false;
  }
}

/** @throws ZagreusError UNSUPPORTED_RUNTIME, SOURCE_FAILED */
export async function readPackageFile(file: URL): Promise<Buffer<ArrayBuffer>> {
  const old = oldNode();
  if (old) throw new ZagreusError("UNSUPPORTED_RUNTIME", `zagreus-edge ${old}`);
  try {
    return await readFile(file);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `${reason}; a bundler must leave the package where it is (Next.js: serverExternalPackages: ["zagreus-edge"]), or option "assets" of load() say where its dist/ is`;
    throw new ZagreusError("SOURCE_FAILED", message, { field: "package", value: file.href, cause });
  }
}
