// Bundled to dist/browser-hub.js, the worker that gets a model of the hub into the origin private file system. hub_client.ts starts it.

import type { Directory, RandomAccess } from "../../../quant/checkpoint/checkpoint.js";
import { checkHuggingface, openHuggingface } from "../../../quant/read/huggingface.js";
import { Quantizer } from "../../../quant/round/quantizer.js";
import { plainRounding } from "../../../quant/round/rounding.js";
import { encodeGguf } from "../../../quant/write/encode.js";
import type { CoreAsset } from "../../core/api/assets.js";
import { invalidOption, ZagreusError } from "../../core/api/errors.js";
import {
  type GgufMaker,
  type HubPlatform,
  type HubProgress,
  pullGguf,
  type QuantizeSettings,
} from "../../core/hub/index.js";
import { Link } from "../../core/offload/link.js";
import { HUB_CACHE } from "../files/cached.js";
import { readPackageFile } from "../net/request.js";
import { openPartial, opfsFile, opfsFiles } from "./opfs_files.js";

const link = new Link(
  { post: (message, transfer) => postMessage(message, { transfer }) },
  {
    async file(
      signal,
      id: string,
      endpoint: string,
      quantize: QuantizeSettings | undefined,
      quantizer: CoreAsset | undefined,
    ): Promise<File> {
      if (quantize?.calibrate) throw invalidOption("quantize.calibrate", true, "false in a browser");
      const onProgress = (progress: HubProgress) => void link.call("progress", [progress]).catch(() => {});
      try {
        const options = { signal, quantize, onProgress };
        return (await opfsFile(await pullGguf(await platform(endpoint), id, options, makerWith(quantizer))))!;
      } catch (error) {
        throw typed(error);
      }
    },
  },
);
addEventListener("message", ({ data }) => link.receive(data));

/** What files and locks throw, as an error of this package. */
function typed(cause: unknown): ZagreusError {
  if (cause instanceof ZagreusError) return cause;
  const { name, message } = cause instanceof Error ? cause : new Error(String(cause));
  const code = name === "QuotaExceededError" ? "DISK_FULL" : "WRITE_FAILED";
  return new ZagreusError(code, `the cache of the hub cannot be used: ${message}`, { cause });
}

async function platform(endpoint: string): Promise<HubPlatform> {
  const owner = `zagreus-edge hub ${crypto.randomUUID()}`;
  await new Promise((resolve, reject) => {
    const hold = () => {
      resolve(undefined);
      return new Promise(() => {});
    };
    navigator.locks.request(owner, hold).catch(reject);
  });
  return {
    files: opfsFiles(owner),
    fetch: follow,
    settings: {
      endpoint,
      cache: HUB_CACHE,
      token: undefined,
      offline: !navigator.onLine,
      noLinks: true,
      timeoutMs: 10_000,
      retryDelayMs: 500,
    },
  };
}

/**
 * As fetch(), with what a browser allows without asking the server first: of the headers only the range. Redirects are followed, since a
 * browser shows none; what the last server calls the file is no hash of the hub's then. The hash of the whole decides.
 */
const follow: typeof fetch = async (input, init) => {
  const range = new Headers(init?.headers).get("range");
  const response = await fetch(input, {
    signal: init?.signal ?? null,
    headers: range === null ? {} : { range },
    cache: "no-store",
  });
  if (!response.redirected) return response;
  const headers = new Headers(response.headers);
  headers.delete("etag");
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
};

const makerWith = (asset: CoreAsset | undefined): GgufMaker => ({
  check: ({ folder, name }) => checkHuggingface(directory(folder, name)),
  async make({ folder, name }, out, { type, signal, onProgress }) {
    const checkpoint = await openHuggingface(directory(folder, name), { name });
    const quantizer = new Quantizer(await quantizerModule(asset));
    const files = opfsFiles("");
    const cut = out.lastIndexOf("/") + 1;
    const partial = `${out.slice(0, cut)}.${out.slice(cut)}.part`;
    await files.remove(partial);
    const file = await openPartial(partial);
    let at = 0;
    try {
      const sink = async (bytes: Uint8Array) => {
        await file.write(bytes, at);
        at += bytes.length;
      };
      const rounding = plainRounding(quantizer);
      await encodeGguf(checkpoint, sink, {
        type,
        rounding,
        quantizer,
        signal,
        onProgress: ({ phase, doneBytes, totalBytes }) => onProgress({ phase, loadedBytes: doneBytes, totalBytes }),
      });
      await file.sync();
    } finally {
      await file.close();
      await checkpoint.close();
    }
    await files.rename(partial, out);
  },
});

async function quantizerModule(
  asset: CoreAsset = new URL("./zagreus-quantizer.wasm", import.meta.url),
): Promise<WebAssembly.Module> {
  if (asset instanceof WebAssembly.Module) return asset;
  const isPlace = typeof asset === "string" || asset instanceof URL;
  return WebAssembly.compile(isPlace ? await readPackageFile(new URL(asset)) : (asset as ArrayBuffer));
}

/** A folder as quant/ reads it. */
function directory(folder: string, name: string): Directory {
  const files = opfsFiles("");
  return {
    name,
    list: () => files.list(folder),
    has: async (path) => (await files.size(files.join(folder, path))) !== undefined,
    async open(path): Promise<RandomAccess> {
      const file = await opfsFile(files.join(folder, path));
      if (!file) throw new ZagreusError("SOURCE_FAILED", `there is no ${path}`, { field: path });
      return {
        name: path,
        byteLength: file.size,
        close: async () => {},
        async read(offset, length) {
          const bytes = new Uint8Array(await file.slice(offset, offset + length).arrayBuffer());
          if (bytes.length === length) return bytes;
          throw new ZagreusError("TRUNCATED", `${path} ends early`, {
            field: path,
            value: file.size,
            expected: offset + length,
          });
        },
      };
    },
  };
}
