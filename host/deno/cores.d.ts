import type { Build } from "../core/api/api.js";

/** Each is compiled once. */
export const cores: Record<Build, () => Promise<WebAssembly.Module>>;
