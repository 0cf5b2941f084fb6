// An adapter from the bytes of its files.

import { GGUF_MAGIC } from "../../../assembly/layout/gguf.js";
import { ZagreusError } from "../api/errors.js";
import type { Adapter, Base } from "./adapter.js";
import { readGgufAdapter } from "./gguf.js";
import { readPeftAdapter, WEIGHTS_FILE } from "./peft.js";
import { CONFIG_FILE } from "./peft_config.js";

/** The bytes of an adapter: of one GGUF file, or of the two files of PEFT. */
export type AdapterFiles = { gguf: Uint8Array } | { config: Uint8Array; weights: Uint8Array };

/**
 * Reads and checks an adapter for a base, before anybody uses it.
 * @param name for messages
 * @throws ZagreusError BAD_ADAPTER for what is damaged or cannot be done, FOREIGN_ADAPTER for that of another model, and what is wrong
 * with its files
 */
export async function readAdapter(name: string, files: AdapterFiles, base: Base): Promise<Adapter> {
  if ("config" in files) return readPeftAdapter(name, files, base);
  const { gguf } = files;
  const magic = gguf.length >= 4 ? new DataView(gguf.buffer, gguf.byteOffset).getUint32(0, true) : 0;
  if (magic === GGUF_MAGIC) return readGgufAdapter(name, gguf, base);
  const expected = `a GGUF file, or a folder with ${CONFIG_FILE} and ${WEIGHTS_FILE} (safetensors)`;
  throw new ZagreusError("BAD_ADAPTER", `${name} must be ${expected}`, { field: "source", expected });
}
