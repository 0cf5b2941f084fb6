// The builds of the core that the suites run over.

import { fileURLToPath } from "node:url";

export interface Variant {
  name: string;
  /** Path of the module. */
  wasm: string;
}

export const VARIANTS: Variant[] = ["simd"].map((name) => ({
  name,
  wasm: fileURLToPath(new URL(`../dist/zagreus-${name}.wasm`, import.meta.url)),
}));
