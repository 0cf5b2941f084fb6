// Types of cores.js, which Deno imports without a build.

import type { Build } from "../core/api/api.js";

/** Each is compiled once. */
export const cores: Record<Build, () => Promise<WebAssembly.Module>>;
