// A folder of files that are only in memory.

import { ZagreusError } from "../../../host/core/api/errors";
import type { Directory } from "../../../quant/checkpoint/checkpoint";

export function memoryDirectory(name: string, files: ReadonlyMap<string, Uint8Array>): Directory {
  return {
    name,
    has: async (path) => files.has(path),
    list: async () => [...files.keys()].sort(),
    async open(path) {
      const file = files.get(path);
      if (!file) throw new ZagreusError("SOURCE_FAILED", `cannot read "${path}"`, { field: path });
      return {
        name: path,
        byteLength: file.length,
        async read(offset, length) {
          if (offset + length > file.length) throw new ZagreusError("TRUNCATED", `${path} ends early`, { field: path });
          return file.slice(offset, offset + length);
        },
        async close() {},
      };
    },
  };
}
