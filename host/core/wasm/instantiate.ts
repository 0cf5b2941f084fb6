// The core's exports, typed; the only file that knows AssemblyScript's loader.

import { instantiate as instantiateModule } from "@assemblyscript/loader";
import type { CoreExports } from "../../../assembly/layout/exports.js";
import { ZagreusError } from "../api/errors.js";

/**
 * A new instance of the core: room for one model. Builds with threads import their memory.
 * @throws ZagreusError OUT_OF_MEMORY where there is no address space for it
 */
export async function instantiate(module: WebAssembly.Module, memory?: WebAssembly.Memory): Promise<CoreExports> {
  try {
    return (await instantiateModule<CoreExports>(module, memory ? { env: { memory } } : {})).exports;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ZagreusError("OUT_OF_MEMORY", `the engine has no room for the core: ${reason}`, { cause });
  }
}

const INITIAL_PAGES = 32; // initialMemory in asconfig.json
const MAX_PAGES = 65536;
const MIN_PAGES = 1024;

/**
 * Memory for a build with threads. Engines that cannot set aside the whole address space get by with less.
 * @throws ZagreusError OUT_OF_MEMORY
 */
export function sharedMemory(): WebAssembly.Memory {
  for (let maximum = MAX_PAGES; ; maximum /= 2) {
    try {
      return new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared: true });
    } catch (error) {
      if (maximum > MIN_PAGES) continue;
      throw new ZagreusError("OUT_OF_MEMORY", "no memory that threads can share", { cause: error });
    }
  }
}
