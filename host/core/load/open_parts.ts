// A name that may be that of a split GGUF file's first part. Small: every load() needs it.

import { part } from "../api/errors.js";
import type { ByteSource } from "./source.js";

/**
 * Opens a path, and if it is the first part of a split GGUF file all of them as one file.
 * @param open one file, from its first byte on; may be called more than once
 * @throws what `open` throws, and joinSplitGguf()
 */
export async function openParts(
  path: string,
  open: (path: string) => Promise<ByteSource>,
  signal: AbortSignal | undefined,
): Promise<ByteSource> {
  if (!/-00001-of-\d{5}\.gguf$/i.test(path)) return open(path);
  const { openSplitGguf } = await part(import("./split_gguf.js"));
  return openSplitGguf(path, open, signal);
}

/** The same for a URL, whose query all parts share. */
export function openUrlParts(
  url: URL,
  open: (url: URL) => Promise<ByteSource>,
  signal: AbortSignal | undefined,
): Promise<ByteSource> {
  const at = (path: string) => Object.assign(new URL(url), { pathname: path });
  return openParts(url.pathname, (path) => open(at(path)), signal);
}
