// Where an adapter's bytes come from.

import type { AdapterFiles } from "../adapters/read.js";
import type { AdapterSource, WebSource } from "../api/api.js";
import { aborted, ZagreusError } from "../api/errors.js";
import { isObject } from "../api/is_object.js";
import { concatenate } from "./concatenate.js";
import { type ByteSource, byteSource, readSource } from "./source.js";

/** Bytes of one file at most: 0.4B has 35 MB in F32 at rank 16. */
const MAX_BYTES = 2 ** 30;

type Opener = () => Promise<ByteSource>;

/** What a runtime can open beyond the forms of the web. */
export interface AdapterOpener {
  /** As of load(). */
  open(source: string | URL): ByteSource | Promise<ByteSource>;
  /** The files of a folder with an adapter of PEFT, or of the hub; undefined for what is none. */
  folder?(source: string | URL): Promise<{ config: Opener; weights: Opener } | undefined>;
}

/** @throws ZagreusError SOURCE_FAILED, INVALID_OPTION, ABORTED, BAD_ADAPTER */
export async function adapterFiles(
  source: AdapterSource,
  { open, folder }: AdapterOpener,
  signal: AbortSignal | undefined,
): Promise<{ name: string; files: AdapterFiles }> {
  if (signal?.aborted) throw aborted(signal.reason); // before a file is opened
  const read = (opened: ByteSource) => allBytes(opened, signal);
  if (typeof source === "string" || source instanceof URL) {
    const name = String(source).replace(/^data:.*/s, "adapter");
    const both = await folder?.(source);
    if (!both) return { name, files: { gguf: await read(await open(source)) } };
    return { name, files: { config: await read(await both.config()), weights: await read(await both.weights()) } };
  }
  if (isObject(source) && "config" in source && "weights" in source) {
    const [config, weights] = [source.config, source.weights].map((file) => byteSource(file as WebSource));
    return { name: "adapter", files: { config: await read(config!), weights: await read(weights!) } };
  }
  return { name: "adapter", files: { gguf: await read(byteSource(source as WebSource)) } };
}

async function allBytes(source: ByteSource, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of readSource(source, signal)) {
    length += chunk.length;
    if (length > MAX_BYTES) {
      const message = `the adapter has more than ${MAX_BYTES} bytes`;
      throw new ZagreusError("BAD_ADAPTER", message, { field: "source", value: length, expected: MAX_BYTES });
    }
    chunks.push(chunk.slice()); // it may be overwritten when the next one is asked for
  }
  return concatenate(chunks);
}
