// A file as a ByteSource: the next chunk is read while the core packs the last one.

import { type FileHandle, open } from "node:fs/promises";
import { IO_BYTES } from "../../../assembly/layout/abi.js";
import type { ByteSource } from "../../core/load/source.js";

/** Anything that can be opened and read, pipes too. @throws as fs does */
export async function fileSource(path: string | URL): Promise<ByteSource> {
  const file = await open(path);
  try {
    const stat = await file.stat();
    if (stat.isDirectory()) throw Object.assign(new Error("it is a folder"), { code: "EISDIR" });
    return { size: stat.isFile() ? stat.size : undefined, chunks: readAhead(file) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function* readAhead(file: FileHandle): AsyncGenerator<Uint8Array> {
  const read = (buffer: Uint8Array) => file.read(buffer, 0, IO_BYTES, null);
  let ready = new Uint8Array(IO_BYTES);
  let filling = new Uint8Array(IO_BYTES);
  let reading = read(filling);
  try {
    for (;;) {
      const { bytesRead } = await reading;
      if (bytesRead === 0) return;
      [ready, filling] = [filling, ready];
      reading = read(filling);
      yield ready.subarray(0, bytesRead);
    }
  } finally {
    await reading.catch(() => {});
    await file.close();
  }
}
