// The builds of the core that the suites run over: those on one thread, as far as they run here. test/builds.test.ts
// shows that the others give the same bits.

import { fileURLToPath } from "node:url";
import { relaxedSimd } from "../../host/core/wasm/capabilities";

export interface Variant {
  name: string;
  /** Path of the module. */
  wasm: string;
}

function variant(name: string): Variant {
  return { name, wasm: fileURLToPath(new URL(`../../dist/zagreus-${name}.wasm`, import.meta.url)) };
}

/** What every engine runs; enough where the kernels do not matter. */
export const BASELINE = [variant("simd")];

export const VARIANTS = [...BASELINE];
const relaxed = relaxedSimd();
if (relaxed === "good" || relaxed === "slow") VARIANTS.push(variant("relaxed"));
else console.log(`build "relaxed" is not tested here: relaxed SIMD is ${relaxed}`);
