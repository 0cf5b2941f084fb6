// JSON files of a checkpoint.

import { ZagreusError } from "../../host/core/api/errors.js";
import { decode, Fields, parseObject } from "../../host/core/api/json.js";
import type { Directory, RandomAccess } from "../checkpoint/checkpoint.js";

/** config.json has 1 KB, tokenizer.json of Llama 3 has 9 MB (17 MB with merges as pairs). */
const MAX_JSON_BYTES = 134217728;

/** @throws ZagreusError SOURCE_FAILED, HEADER_TOO_LARGE, BAD_JSON naming the file */
export async function readFields(directory: Directory, path: string): Promise<Fields> {
  return new Fields(path, parseObject(await readText(directory, path), path));
}

/** A whole file of UTF-8 text. @throws ZagreusError SOURCE_FAILED, HEADER_TOO_LARGE, BAD_JSON naming the file */
export async function readText(directory: Directory, path: string): Promise<string> {
  return decode(await readBytes(directory, path), path);
}

/** A whole file. @throws ZagreusError SOURCE_FAILED, HEADER_TOO_LARGE naming the file */
export async function readBytes(directory: Directory, path: string): Promise<Uint8Array> {
  const file = await directory.open(path);
  try {
    return await readWhole(file, path);
  } finally {
    await file.close();
  }
}

async function readWhole(file: RandomAccess, name: string): Promise<Uint8Array> {
  const { byteLength } = file;
  if (byteLength > MAX_JSON_BYTES) {
    throw new ZagreusError("HEADER_TOO_LARGE", `${name} has ${byteLength} bytes, must be at most ${MAX_JSON_BYTES}`, {
      field: name,
      value: byteLength,
      expected: MAX_JSON_BYTES,
    });
  }
  return file.read(0, byteLength);
}
