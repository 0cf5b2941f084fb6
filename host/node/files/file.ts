// A file as a ByteSource: the next chunk is read while the core packs the last one.

import { type FileHandle, open, readFile } from "node:fs/promises";
import { IO_BYTES } from "../../../assembly/layout/abi.js";
import { type ByteSource, byteSource } from "../../core/load/source.js";

/** Anything that can be opened and read, pipes too. @throws as fs does */
export async function fileSource(path: string | URL): Promise<ByteSource> {
  const file = await open(path).catch((error) => error as Error);
  if (file instanceof Error) return embedded(path, file);
  try {
    const stat = await file.stat();
    if (stat.isDirectory()) throw Object.assign(new Error("it is a folder"), { code: "EISDIR" });
    return { size: stat.isFile() ? stat.size : undefined, chunks: readAhead(file) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Files inside of a Bun executable can be read, but not opened. */
async function embedded(path: string | URL, error: Error): Promise<ByteSource> {
  const bytes = await readFile(path).catch(() => {
    throw error;
  });
  return byteSource(bytes);
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
